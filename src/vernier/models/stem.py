"""The stem of a network: the convolutions that see the image."""

from torch import Tensor, nn

from vernier.models.submodules import declared_modules, replace_module


def stem_modules(module: nn.Module) -> tuple[str, ...]:
    """Names of the convolutions that see the image, as timm says, elsewhere the first one; maybe none."""
    declared = declared_modules(module, "first_conv")
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
            replace_module(module, name, _convolution_like(old, channels))


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
