"""The head of a network: the layers that make its logits."""

from collections.abc import Sequence
from types import UnionType

import torch
from torch import Tensor, nn

from vernier.config.head import BatchNormLayer, HeadLayer
from vernier.errors import ModelError
from vernier.models.head_layers import Classifier, make_recipe, redraw, sizes
from vernier.models.provider import did_you_mean
from vernier.models.submodules import declared_modules, replace_module

_DECLARED = "_vernier_head"
_AUXILIARY_CLASS = "InceptionAux"
_WIDTHS = ("in_features", "in_channels", "num_features", "num_channels")


def declare_head(module: nn.Module, names: Sequence[str]) -> None:
    """Say which layers of `module` are its heads; copies of it know, its state dict does not."""
    setattr(module, _DECLARED, tuple(names))


def head_modules(module: nn.Module) -> tuple[str, ...]:
    """Names of the whole heads, as `named_modules` gives them: with a recipe, the layers of the recipe too.

    The declared ones; else timm says which they are; elsewhere it is the last linear layer or convolution.
    Heads of auxiliary classifiers (Inception, GoogLeNet) follow the network's own.

    Raises:
        ModelError: the network has no layer that can be one.
    """
    declared = _declared_heads(module)
    if declared:
        return declared
    last = _last(module, nn.Linear | nn.Conv2d)
    if last is None:
        raise ModelError(f"{type(module).__name__} has no linear layer or convolution to take as its head")
    return (last, *_auxiliary_heads(module))


def classifier_modules(module: nn.Module) -> tuple[str, ...]:
    """Names of the layers that the logits come from: of each head its last linear layer or convolution.

    A head without one is named by its last layer with parameters, by its last identity, or as a whole.
    """
    return tuple(_classifier(module, head) for head in head_modules(module))


def reset_heads(module: nn.Module, heads: Sequence[str]) -> None:
    """Draw new weights for the classifiers of some heads, as `nn.Linear` does by default.

    Architectures draw a head for training from scratch, some so large (timm's EfficientNet family: uniform up to
    1 / sqrt(classes)) that on features which are good already its noise never goes away.
    """
    for head in heads:
        classifier = module.get_submodule(_classifier(module, head))
        if isinstance(classifier, nn.Linear | nn.Conv2d):
            classifier.reset_parameters()


def fit_head(module: nn.Module, num_outputs: int, head_name: str | None, image: Tensor) -> None:
    """Make the classifier give `num_outputs` logits, in place; nothing changes where it does already.

    Without a name only a head that timm declares is touched: the last layer of any other network may be something
    else.

    Args:
        module: A network with a head, or with an identity where its head should be.
        head_name: Dotted name of the classifier, or of layers that end in it; None: as `head_modules` finds it.
        image: float32 (1, C, H, W), to find out how many features a missing head gets.

    Raises:
        ModelError: there is no layer `head_name`, or none that can be a head.
    """
    if head_name is not None:
        _declare_named(module, head_name)
    missing = []
    for name in [_classifier(module, head) for head in _declared_heads(module)]:
        classifier = module.get_submodule(name)
        if isinstance(classifier, nn.Linear | nn.Conv2d):
            _set_outputs(module, classifier, num_outputs)
        elif isinstance(classifier, nn.Identity):
            missing.append(name)
        else:
            raise ModelError(
                f"model.head_name={name}: a {type(classifier).__name__} can't be the classifier; name the linear "
                "layer, the convolution or the nn.Identity that gives the network's outputs"
            )
    # All are made before the first is put in: two that are added up must not see different widths.
    made = [_classifier_after(module, name, num_outputs, image) for name in missing]
    for name, classifier in zip(missing, made, strict=True):
        replace_module(module, name, classifier)


def remove_head(module: nn.Module) -> int:
    """Put an identity in the place of every head, in place; the network then gives features.

    Returns:
        The number of features.

    Raises:
        ModelError: the heads take different numbers of features, or there are none to remove.
    """
    heads = head_modules(module)
    auxiliary = tuple(f"{name}." for name in _auxiliary_classifiers(module))
    widths = {_width(module.get_submodule(head)) for head in heads if not head.startswith(auxiliary)}
    if len(widths) != 1 or None in widths:
        raise ModelError(
            f"the head of {type(module).__name__} ({', '.join(heads)}) can't be removed: it is an identity already, or "
            "its parts take different numbers of features"
        )
    for head in heads:
        replace_module(module, head, nn.Identity())
    declare_head(module, heads)
    return int(widths.pop() or 0)


def insert_head_layers(module: nn.Module, layers: Sequence[HeadLayer], *, image: Tensor | None = None) -> None:
    """Put `layers` in front of the classifier, in place; its input follows theirs.

    A Sequential takes the classifier's place; its last layer is the classifier, named `classifier`. Before a
    convolution the layers are those of feature maps: BatchNorm2d, 1x1 convolutions, GroupNorm with one group.
    New layers have PyTorch's default weights from its global generator. A classifier whose input stays as wide
    keeps its weights.

    Args:
        module: A network with its head fitted; each of several heads gets layers of its own.
        layers: In the order in which the features pass through them.
        image: float32 (1, C, H, W), to find out whether a BatchNorm gets one vector an image.

    Raises:
        ModelError: the classifier is no linear layer or convolution, or gets a vector for every token.
    """
    if not layers:
        return
    heads = head_modules(module)
    names = classifier_modules(module)
    if image is not None and any(isinstance(layer, BatchNormLayer) for layer in layers):
        for name in names:
            _require_no_tokens(module, name, image)
    for name in names:
        classifier = module.get_submodule(name)
        if not isinstance(classifier, nn.Linear | nn.Conv2d):
            raise ModelError(
                f"model.head: {name} is a {type(classifier).__name__}; layers can only be put before a linear layer "
                "or a convolution, so name it in model.head_name"
            )
        replace_module(module, name, make_recipe(layers, classifier))
    declare_head(module, heads)


def _declared_heads(module: nn.Module) -> tuple[str, ...]:
    own: tuple[str, ...] = getattr(module, _DECLARED, ())
    if own:
        return own
    names = declared_modules(module, "classifier")
    return (*names, *_auxiliary_heads(module)) if names else ()


def _declare_named(module: nn.Module, head_name: str) -> None:
    names = [name for name, _ in module.named_modules() if name]
    if head_name not in names:
        children = ", ".join(name for name, _ in module.named_children())
        raise ModelError(
            f"model.head_name={head_name}: {type(module).__name__} has no layer of this name."
            f"{did_you_mean(head_name, names)} It consists of {children}"
        )
    siblings = declared_modules(module, "classifier")
    heads = siblings if head_name in siblings else (head_name,)
    declare_head(module, (*heads, *_auxiliary_heads(module)))


def _auxiliary_heads(module: nn.Module) -> tuple[str, ...]:
    last = {name: _last(module.get_submodule(name), nn.Linear) for name in _auxiliary_classifiers(module)}
    return tuple(f"{name}.{layer}" for name, layer in last.items() if layer is not None)


def _auxiliary_classifiers(module: nn.Module) -> list[str]:
    return [name for name, child in module.named_modules() if type(child).__name__ == _AUXILIARY_CLASS]


def _classifier(module: nn.Module, head: str) -> str:
    whole = module.get_submodule(head)
    inner = _last(whole, nn.Linear | nn.Conv2d)
    if inner is None:
        inner = _last_with_parameters(whole)
    if inner is None:
        inner = _last(whole, nn.Identity)
    return ".".join(part for part in (head, inner) if part)


def _last(module: nn.Module, kinds: type | UnionType) -> str | None:
    names = [name for name, child in module.named_modules() if isinstance(child, kinds)]
    return names[-1] if names else None


def _last_with_parameters(module: nn.Module) -> str | None:
    names = [name for name, child in module.named_modules() if any(True for _ in child.parameters(recurse=False))]
    return names[-1] if names else None


def _set_outputs(module: nn.Module, classifier: Classifier, num_outputs: int) -> None:
    inputs, outputs = sizes(classifier)
    if outputs == num_outputs:
        return
    redraw(classifier, inputs, num_outputs)
    if isinstance(getattr(module, "num_classes", None), int):
        setattr(module, "num_classes", num_outputs)  # noqa: B010


def _classifier_after(module: nn.Module, name: str, num_outputs: int, image: Tensor) -> nn.Module:
    """A new classifier for what reaches the layer `name`."""
    shape = _features(module, name, image)
    if shape is None or len(shape) < 2:
        reason = "never runs for an image" if shape is None else f"gets a tensor of shape {list(shape)}"
        raise ModelError(f"model.head_name={name}: it {reason}, so it can't be the classifier; name another layer")
    if len(shape) == 4:
        return nn.Conv2d(shape[1], num_outputs, 1)
    return nn.Linear(shape[-1], num_outputs)


@torch.no_grad()
def _features(module: nn.Module, name: str, image: Tensor) -> torch.Size | None:
    """The shape of what reaches the layer `name` for one image in eval mode; None when nothing does."""
    seen: list[torch.Size] = []
    layer = module.get_submodule(name)
    handle = layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape))
    training = module.training
    try:
        module.eval()(image)
    except (RuntimeError, ValueError, AssertionError) as error:
        raise ModelError(
            f"the features that reach {name} can't be found with an image of model.input_size="
            f"{list(image.shape[2:])} and {image.shape[1]} channel(s): {error}"
        ) from error
    finally:
        handle.remove()
        module.train(training)
    return seen[0] if seen else None


def _width(head: nn.Module) -> int | None:
    """The number of features that a head takes, by its first layer that knows."""
    for layer in head.modules():
        for key in _WIDTHS:
            if isinstance(getattr(layer, key, None), int):
                return int(getattr(layer, key))
        if isinstance(layer, nn.LayerNorm):
            return int(layer.normalized_shape[-1])
    return None


def _require_no_tokens(module: nn.Module, name: str, image: Tensor) -> None:
    shape = _features(module, name, image)
    if shape is not None and len(shape) == 3:
        raise ModelError(
            f"model.head: a batchnorm can't stand before {name} of {type(module).__name__}, which gets "
            f"{shape[1]} vectors of {shape[2]} features for an image instead of one; use layernorm"
        )
