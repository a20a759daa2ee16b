"""Finding and replacing the head and the stem of a network that somebody else wrote."""

from typing import final

import torch.nn.functional as F
from torch import Tensor, nn

from vernier.errors import ModelError


def head_modules(module: nn.Module) -> tuple[str, ...]:
    """Names of the layers that make the logits, as `named_modules` gives them.

    timm says which they are; elsewhere it is the last linear layer or convolution.

    Raises:
        ModelError: the network has neither.
    """
    declared = _declared(module, "classifier")
    if declared:
        return declared
    names = [name for name, child in module.named_modules() if isinstance(child, nn.Linear | nn.Conv2d)]
    if not names:
        raise ModelError(f"{type(module).__name__} has no linear layer or convolution to take as its head")
    return (names[-1],)


def reset_head(module: nn.Module) -> None:
    """Draw new weights for the head, as `nn.Linear` does by default.

    Architectures draw a head for training from scratch, some so large (timm's EfficientNet family: uniform up to
    1 / sqrt(classes)) that on features which are good already its noise never goes away.
    """
    for name in head_modules(module):
        head = module.get_submodule(name)
        if isinstance(head, nn.Linear | nn.Conv2d):
            head.reset_parameters()


def stem_modules(module: nn.Module) -> tuple[str, ...]:
    """Names of the convolutions that see the image, as timm says, elsewhere the first one; maybe none."""
    declared = _declared(module, "first_conv")
    if declared:
        return declared
    return tuple(name for name, child in module.named_modules() if isinstance(child, nn.Conv2d))[:1]


def adapt_stem_weight(weight: Tensor, channels: int) -> Tensor:
    """A convolution's weight (out, in, h, w) for another number of input channels.

    One channel gets the sum over all: a grey picture gives what the same picture in colour gave. More
    channels repeat the old ones, scaled so that an equal value in every channel gives what it gave.
    """
    old = weight.shape[1]
    if channels == 1:
        return weight.sum(dim=1, keepdim=True)
    repeated = weight.repeat(1, -(-channels // old), 1, 1)[:, :channels]
    return repeated * (old / channels)


def fit_stem(module: nn.Module, channels: int) -> None:
    """Make the first convolution take `channels` channels; unchanged when it already does."""
    for name in stem_modules(module):
        old = module.get_submodule(name)
        if isinstance(old, nn.Conv2d) and old.in_channels != channels:
            _replace(module, name, _convolution_like(old, channels))


def fit_dropout(module: nn.Module, p: float) -> None:
    """Set the dropout right before the head to `p`, putting one in where the network has none.

    Raises:
        ModelError: the head is no linear layer and has no dropout before it.
    """
    (head,) = head_modules(module)
    parent, _, child = head.rpartition(".")
    before = _dropout_before(module.get_submodule(parent), child)
    if before is not None:
        before.p = p
        return
    layer = module.get_submodule(head)
    if not isinstance(layer, nn.Linear):
        raise ModelError(
            f"model.dropout={p}: the head {head} of {type(module).__name__} is not a linear layer; "
            "leave model.dropout out, or set the network's own in model.kwargs"
        )
    _replace(module, head, DropoutLinear(layer, p))


@final
class DropoutLinear(nn.Linear):
    """Dropout, then a linear layer, with the parameter names of the linear layer alone.

    Files of published weights keep fitting, which a Sequential of the two would not allow.
    """

    def __init__(self, layer: nn.Linear, p: float) -> None:
        super().__init__(layer.in_features, layer.out_features, bias=layer.bias is not None, device="meta")
        self.weight, self.bias = layer.weight, layer.bias
        self.p = p

    def forward(self, features: Tensor) -> Tensor:
        """(..., in_features) to (..., out_features)."""
        return F.linear(F.dropout(features, self.p, self.training), self.weight, self.bias)

    def extra_repr(self) -> str:
        """The linear layer's, and the probability."""
        return f"{super().extra_repr()}, dropout={self.p}"


def _declared(module: nn.Module, key: str) -> tuple[str, ...]:
    config = getattr(module, "pretrained_cfg", None) or {}
    names = config.get(key) or ()
    names = (names,) if isinstance(names, str) else tuple(names)
    existing = {name for name, _ in module.named_modules()}
    return tuple(name for name in names if name in existing)


def _dropout_before(parent: nn.Module, head: str) -> nn.Dropout | None:
    """The dropout that runs into `head`: before it in a Sequential, or the parent's, named `dropout`."""
    if isinstance(parent, nn.Sequential):
        names = [name for name, _ in parent.named_children()]
        position = names.index(head)
        before = parent.get_submodule(names[position - 1]) if position else None
    else:
        before = getattr(parent, "dropout", None)
    return before if isinstance(before, nn.Dropout) else None


def _convolution_like(old: nn.Conv2d, channels: int) -> nn.Conv2d:
    new = nn.Conv2d(
        channels,
        old.out_channels,
        kernel_size=(old.kernel_size[0], old.kernel_size[1]),
        stride=(old.stride[0], old.stride[1]),
        padding=old.padding if isinstance(old.padding, str) else (old.padding[0], old.padding[1]),
        dilation=(old.dilation[0], old.dilation[1]),
        bias=old.bias is not None,
        padding_mode=old.padding_mode,
        device="meta",
    )
    new.weight = nn.Parameter(adapt_stem_weight(old.weight.detach(), channels))
    new.bias = old.bias
    return new


def _replace(module: nn.Module, name: str, new: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(module.get_submodule(parent), child, new)
