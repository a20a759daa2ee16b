"""The stem of a network: the convolutions that see the image."""

import torch
from torch import Tensor, nn

from vernier.config.model import StemSource
from vernier.errors import ModelError
from vernier.models.provider import StemInit
from vernier.models.submodules import declared_modules

_COLOURS: tuple[StemSource, ...] = ("red", "green", "blue")
_MEAN: tuple[StemSource, ...] = ("mean",)
_RANDOM: tuple[StemSource, ...] = ("random",)
_IN_WORDS: dict[StemSource, str] = {"mean": "the mean", "sum": "the sum"}


def stem_modules(module: nn.Module) -> tuple[str, ...]:
    """Names of the convolutions that see the image, as timm says, elsewhere the first one; maybe none."""
    declared = declared_modules(module, "first_conv")
    if declared:
        return declared
    return tuple(name for name, child in module.named_modules() if isinstance(child, nn.Conv2d))[:1]


def adapt_stem_weight(weight: Tensor, channels: int, stem_init: StemInit = "auto") -> Tensor:
    """A convolution's weight (out, in, h, w) for another number of input channels.

    auto: one channel gets the sum of all (a grey picture gives what the same picture in colour gave). From red,
    green and blue, two channels get red and green times 3/2, more keep all three as they are and get their mean for
    each further channel. Weights of another number of channels are repeated and scaled, so that an equal value in
    every channel gives what it gave. As many channels as before change nothing.

    A tuple names the source of each channel; `random` is normal with the standard deviation of `weight`, from
    torch's global generator.

    Raises:
        ModelError: not one name a channel, or colours of weights that are not of three channels.
    """
    old = weight.shape[1]
    if stem_init != "auto":
        return _from_sources(weight, _checked(stem_init, channels, old))
    if old == channels:
        return weight
    if channels == 1:
        return weight.sum(dim=1, keepdim=True)
    if old != len(_COLOURS) or channels == 2:
        return weight.repeat(1, -(-channels // old), 1, 1)[:, :channels] * (old / channels)
    return _from_sources(weight, _COLOURS + _MEAN * (channels - old))


def fit_stem(
    module: nn.Module, channels: int, stem_init: StemInit = "auto", *, image_channels: int | None = None
) -> None:
    """Make the stem take images of `channels` channels, in place, its weights adapted by `adapt_stem_weight`.

    With auto, a stem that takes them already is left alone.

    Args:
        module: A network whose stem is a convolution, or several side by side.
        channels: Of the images to come.
        stem_init: `model.stem_init`.
        image_channels: Of the images so far; None: as many as the stem has. A stem with k times as many sees k
            pixels at once (TResNet), each with all channels.

    Raises:
        ModelError: the stem is grouped or no convolution, or `stem_init` does not fit.
    """
    for name in stem_modules(module):
        stem = module.get_submodule(name)
        old = image_channels or getattr(stem, "in_channels", None)
        if old == channels and stem_init == "auto":
            continue
        if not isinstance(stem, nn.Conv2d) or old is None or stem.in_channels % old:
            raise ModelError(
                f"data.channels={channels}: the stem {name} of {type(module).__name__} is a {type(stem).__name__}, "
                "whose weights can't be adapted to another number of channels; set model.pretrained=false"
            )
        _require_ungrouped(name, stem, channels)
        _replace_weight(stem, _adapt_pixels(stem.weight.detach(), old, channels, stem_init))


def redraw_stem(module: nn.Module, channels: int) -> None:
    """Make the stem of a network that is not trained yet take `channels` channels, in place.

    New weights are normal, from torch's global generator; their variance is that of the old ones times the old
    number of channels over the new one, so that outputs keep their variance.
    """
    for name in stem_modules(module):
        stem = module.get_submodule(name)
        if isinstance(stem, nn.Conv2d) and stem.in_channels != channels:
            _require_ungrouped(name, stem, channels)
            weight = _from_sources(stem.weight.detach(), _RANDOM * channels) * (stem.in_channels / channels) ** 0.5
            _replace_weight(stem, weight)


def describe_stem(name: str, old: int, channels: int, stem_init: StemInit = "auto") -> str:
    """What `adapt_stem_weight` did to the weights of the convolution `name`, in one sentence."""
    if stem_init != "auto":
        sources = [f"channel {place} is {_IN_WORDS.get(source, source)}" for place, source in enumerate(stem_init, 1)]
        return f"stem {name}: {', '.join(sources)}"
    if old == channels:
        return f"stem {name}: as it was"
    if channels == 1:
        summed = "red, green and blue" if old == len(_COLOURS) else f"all {old}"
        return f"stem {name}: its one channel is the sum of {summed}"
    if old != len(_COLOURS):
        return f"stem {name}: its {old} channel(s) repeated to {channels} and scaled by {old}/{channels}"
    if channels == 2:
        return f"stem {name}: its channels are red and green, times 3/2"
    further = "channel 4 is their mean" if channels == 4 else f"channels 4 to {channels} are their mean"
    return f"stem {name}: red, green, blue kept, {further}"


def _checked(stem_init: tuple[StemSource, ...], channels: int, old: int) -> tuple[StemSource, ...]:
    if len(stem_init) != channels:
        raise ModelError(
            f"model.stem_init=[{', '.join(stem_init)}]: {len(stem_init)} source(s) for images of {channels} "
            "channel(s); name one for each channel, or leave model.stem_init out"
        )
    colours = [source for source in stem_init if source in _COLOURS]
    if colours and old != len(_COLOURS):
        raise ModelError(
            f"model.stem_init=[{', '.join(stem_init)}]: the weights are of {old} channel(s), so there is no "
            f"{colours[0]}; name mean, sum, zero or random, or leave model.stem_init out"
        )
    return stem_init


def _from_sources(weight: Tensor, sources: tuple[StemSource, ...]) -> Tensor:
    return torch.stack([_channel(weight, source) for source in sources], dim=1)


def _channel(weight: Tensor, source: StemSource) -> Tensor:
    """The weight (out, h, w) of one channel."""
    match source:
        case "mean":
            return weight.mean(dim=1)
        case "sum":
            return weight.sum(dim=1)
        case "zero":
            return torch.zeros_like(weight[:, 0])
        case "random":
            return torch.randn_like(weight[:, 0]) * weight.std()
        case _:
            return weight[:, _COLOURS.index(source)]


def _adapt_pixels(weight: Tensor, old: int, channels: int, stem_init: StemInit) -> Tensor:
    """`adapt_stem_weight` for a weight (out, pixels * old, h, w) that sees several pixels at once."""
    outputs, inputs, *kernel = weight.shape
    pixels = inputs // old
    alone = weight.reshape(outputs * pixels, old, *kernel)
    return adapt_stem_weight(alone, channels, stem_init).reshape(outputs, pixels * channels, *kernel)


def _replace_weight(stem: nn.Conv2d, weight: Tensor) -> None:
    stem.in_channels = weight.shape[1]
    stem.weight = nn.Parameter(weight)


def _require_ungrouped(name: str, stem: nn.Conv2d, channels: int) -> None:
    if stem.groups != 1:
        raise ModelError(
            f"data.channels={channels}: the stem {name} has {stem.groups} groups of channels and can't be "
            f"adapted to {channels}; set data.channels={stem.in_channels}, or take another model.name"
        )
