"""Classification networks of torchvision."""

import inspect
from collections.abc import Iterable
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor, nn

from vernier.errors import ModelError
from vernier.models.architecture import Architecture
from vernier.models.depth import depth_arguments
from vernier.models.download import download_errors, no_weights, require_reachable
from vernier.models.dropout import fit_dropout
from vernier.models.head import head_modules, reset_heads
from vernier.models.provider import (
    ModelDefaults,
    ModelProvider,
    StemInit,
    refuse_reserved,
    rejected_argument,
    unknown_argument,
)
from vernier.models.state import load_state
from vernier.models.stem import fit_stem, redraw_stem

_RESERVED = {
    "num_classes": "it follows from the data's classes",
    "weights": "set model.pretrained or model.weights",
    "progress": "leave it out",
    "image_size": "set model.input_size",
    "input_size": "set model.input_size",
    "aux_logits": "auxiliary heads are not trained",
    "transform_input": "normalisation is augment.eval's",
}
_AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")
_OURS = (*_RESERVED, "self", "args", "kwargs")
_IMAGENET_CLASSES = 1000
_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)


@final
class TorchvisionProvider(ModelProvider):
    """The names of `torchvision.models.list_models(module=torchvision.models)`."""

    def names(self) -> Iterable[str]:
        """Classification networks only."""
        import torchvision

        return torchvision.models.list_models(module=torchvision.models)  # type: ignore[no-any-return]

    def knows(self, name: str) -> bool:
        """Whether torchvision has a classification network of this name."""
        return name in self.names()

    def defaults(self, name: str) -> ModelDefaults:
        """From the transforms of its default weights."""
        import torchvision

        preset = torchvision.models.get_model_weights(name).DEFAULT.transforms()
        side = preset.crop_size[0]
        return ModelDefaults(
            provider="torchvision",
            input_size=(side, side),
            mean=tuple(preset.mean),
            std=tuple(preset.std),
            interpolation=preset.interpolation.value,
            crop_fraction=side / preset.resize_size[0],
        )

    def build(self, architecture: Architecture, *, pretrained: bool, stem_init: StemInit = "auto") -> nn.Module:
        """Built for three channels and the number of outputs; the stem and the dropout are fitted afterwards."""
        refuse_reserved(architecture.kwargs, _RESERVED)
        if pretrained:
            _require_weights(architecture.name)
        module = _construct(architecture)
        if architecture.dropout is not None:
            refuse_reserved(architecture.kwargs, {"dropout": "model.dropout is set too"})
            fit_dropout(module, architecture.dropout)
        if pretrained:
            load_state(module, _published_state(architecture, module), architecture.name)
            if architecture.num_outputs != _IMAGENET_CLASSES:
                reset_heads(module, head_modules(module))
            fit_stem(module, architecture.channels, stem_init)
        else:
            redraw_stem(module, architecture.channels)
        return module


def _construct(architecture: Architecture) -> nn.Module:
    import torchvision

    arguments = {**architecture.kwargs, **_family_arguments(architecture)}
    if architecture.depth is not None:
        chosen = depth_arguments("torchvision", architecture.name, architecture.depth)
        refuse_reserved(architecture.kwargs, dict.fromkeys(chosen, "model.depth is set too"))
        arguments |= chosen
    try:
        return torchvision.models.get_model(  # type: ignore[no-any-return]
            architecture.name, weights=None, num_classes=architecture.num_outputs, **arguments
        )
    except TypeError as error:
        rejected = rejected_argument(error)
        if rejected is None or rejected[1] not in architecture.kwargs:
            raise _not_built(architecture, error) from error
        raise unknown_argument(architecture, rejected[1], _accepted(architecture.name, rejected[0])) from error
    except (ValueError, AssertionError, RuntimeError) as error:
        raise _not_built(architecture, error) from error


def _family_arguments(architecture: Architecture) -> dict[str, Any]:
    """What a family needs beyond the number of outputs.

    The Inceptions' published weights expect their own normalisation of an ImageNet-normalised image; it
    belongs to the network, so that weights from a file see the same.
    """
    match _family(architecture.name):
        case "googlenet" | "inception":
            return {
                "aux_logits": False,
                "init_weights": True,
                "transform_input": architecture.channels == 3,
                **{key: value for key, value in architecture.kwargs.items() if key == "init_weights"},
            }
        case "vision_transformer":
            return {"image_size": _square(architecture)}
        case "maxvit":
            return {"input_size": architecture.input_size}
        case _:
            return {}


def _family(name: str) -> str:
    import torchvision

    return torchvision.models.get_model_builder(name).__module__.rpartition(".")[2]  # type: ignore[no-any-return]


def _square(architecture: Architecture) -> int:
    height, width = architecture.input_size
    if height != width:
        raise ModelError(
            f"model.input_size=[{height}, {width}]: {architecture.name} takes square images only; "
            f"set model.input_size=[{height},{height}]"
        )
    return height


def _require_weights(name: str) -> None:
    import torchvision

    weights = torchvision.models.get_model_weights(name)
    if not len(weights):
        raise no_weights(name, "torchvision has none for it")
    file = Path(weights.DEFAULT.url).name
    if not (Path(torch.hub.get_dir()) / "checkpoints" / file).is_file():
        require_reachable(weights.DEFAULT.url, name)


def _published_state(architecture: Architecture, module: nn.Module) -> dict[str, Tensor]:
    import torchvision
    from torchvision.models.vision_transformer import VisionTransformer, interpolate_embeddings

    weights = torchvision.models.get_model_weights(architecture.name).DEFAULT
    with download_errors(architecture.name):
        state = weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
    if isinstance(module, VisionTransformer):
        state = interpolate_embeddings(module.image_size, module.patch_size, state)
    return {name: tensor for name, tensor in state.items() if not name.startswith(_AUXILIARY)}


def _accepted(name: str, owner: str) -> list[str]:
    import torchvision

    builder = torchvision.models.get_model_builder(name)
    definition = inspect.unwrap(builder).__globals__.get(owner)
    if definition is None:
        return []
    return [key for key in inspect.signature(definition).parameters if key not in _OURS]


def _not_built(architecture: Architecture, error: Exception) -> ModelError:
    return ModelError(
        f"model.name={architecture.name}: torchvision can't build it with model.kwargs={architecture.kwargs} "
        f"and model.input_size={list(architecture.input_size)}: {error}"
    )
