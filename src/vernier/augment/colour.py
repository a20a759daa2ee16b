"""What each colour operation does to the pixels of a batch of images.

All but the turn of hue are affine in the pixel's channels, a matrix (C, C + 1) whose last column is added, so that
neighbours merge into one matrix an image. Nothing is clipped or rounded between them. Contrast pivots on the mean of
the image as it is at that point. The mean of affinely changed pixels is the changed mean, so one mean of the pixels
that enter the stage is enough.

Images may have any number of channels. Some of them are colours: red, green and blue, or grey. What changes colours
leaves the others as they are; what changes the scale of values (Normalize, Rescale) is for all channels.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np

from vernier.augment.geometry import Floats, between, span
from vernier.config.operations.base import Operation
from vernier.config.operations.colour import (
    Brightness,
    ColorJitter,
    Contrast,
    Grayscale,
    Invert,
    Normalize,
    Rescale,
)
from vernier.config.operations.tone import Hue

GREY: Final = np.array([0.299, 0.587, 0.114])
"""Weights of red, green and blue in grey (ITU-R BT.601)."""

_TO_GREY: Final = np.append(np.tile(GREY, (3, 1)), np.zeros((3, 1)), axis=1)


@final
@dataclass(frozen=True)
class ColourDraw:
    """The colour operations of one stage with what was drawn for a batch.

    Attributes:
        draws: For each operation float64 (N, 1 + draws).
        colours: Places of red, green and blue among the channels, or of grey; may be empty.
    """

    operations: tuple[Operation, ...]
    draws: tuple[Floats, ...]
    colours: tuple[int, ...]

    @property
    def needs_means(self) -> bool:
        """Whether the matrices depend on the pixels."""
        return any(has_contrast(operation) for operation in self.operations)

    def matrices(self, means: Floats) -> Floats:
        """The matrix of each image, float64 (N, C, C + 1), given the mean of each channel, float64 (N, C)."""
        total = identity(*means.shape)
        for operation, u in zip(self.operations, self.draws, strict=True):
            after = self._after(operation, u[:, 1:], apply(total, means))
            total = np.where((u[:, 0] < operation.p)[:, None, None], compose(after, total), total)
        return total

    def _after(self, operation: Operation, u: Floats, means: Floats) -> Floats:
        how = COLOUR[type(operation)]
        if how.every_channel:
            return how.matrices(operation, u, means)
        places = list(self.colours)
        total = identity(*means.shape)
        if places:
            part = how.matrices(operation, u, means[:, places])
            total[:, np.array(places)[:, None], [*places, -1]] = part
        return total

    def by_mean(self, channels: int) -> tuple[Floats, Floats]:
        """The matrices of images whose mean is black, float64 (N, C, C + 1), and how their offsets follow the mean.

        Only offsets depend on the means, and they are affine in them: that of an image with the mean m is its
        offset for black plus a matrix times m. Returns these matrices, float64 (N, C, C), as well.
        """
        count = len(self.draws[0])
        black = self.matrices(np.zeros((count, channels)))
        slopes = np.zeros((count, channels, channels))
        if self.needs_means:
            for channel, mean in enumerate(np.eye(channels)):
                follows = self.matrices(np.tile(mean, (count, 1)))
                slopes[:, :, channel] = follows[:, :, -1] - black[:, :, -1]
        return black, slopes


@final
@dataclass(frozen=True)
class HueDraw:
    """How far each image of a batch turns in hue; at 0 it is left as it is.

    Hue is that of the HSV hexcone. It is not defined outside the range of a pixel, so the colours of an image that is
    turned are clipped to [0, 255] first.

    Attributes:
        turns: float64 (N,).
        colours: Places of red, green and blue among the channels.
    """

    turns: Floats
    colours: tuple[int, ...]


def identity(n: int, channels: int) -> Floats:
    """Matrices that change nothing, float64 (N, C, C + 1)."""
    return np.tile(np.eye(channels, channels + 1), (n, 1, 1))


def compose(after: Floats, before: Floats) -> Floats:
    """The matrices of `before`, then `after`."""
    total = after[:, :, :-1] @ before
    total[:, :, -1] += after[:, :, -1]
    return total


def apply(matrices: Floats, colours: Floats) -> Floats:
    """One colour an image, float64 (N, C), through its matrix."""
    return (matrices[:, :, :-1] @ colours[:, :, None])[:, :, 0] + matrices[:, :, -1]


def has_contrast(operation: Operation) -> bool:
    """Whether an operation depends on the mean of the image."""
    if isinstance(operation, ColorJitter):
        return _active(operation.contrast, 1.0)
    return isinstance(operation, Contrast)


def has_hue(operation: Operation) -> bool:
    """Whether an operation turns the hue."""
    if isinstance(operation, ColorJitter):
        return _active(operation.hue, 0.0)
    return isinstance(operation, Hue)


def is_linear(operation: Operation) -> bool:
    """Whether black stays 0, whatever the image."""
    match operation:
        case Rescale():
            return operation.offset == 0
        case Normalize():
            return not np.any(operation.mean)
        case Brightness() | Invert():
            return False
        case _:
            return not has_contrast(operation)


def affine_parts(operation: Operation) -> tuple[str, ...]:
    """Names of the affine changes that an operation makes; none when it only turns hue."""
    if isinstance(operation, ColorJitter):
        fields = ("brightness", "contrast", "saturation")
        return tuple(name for name in fields if _active(getattr(operation, name), 1.0))
    return (type(operation).__name__,) if type(operation) in COLOUR else ()


def hue_turns(operation: ColorJitter | Hue, u: Floats) -> Floats:
    """Turns of hue in [-1, 1], float64 (N,), of uniform numbers like those of `ColourDraw`."""
    shift = operation.hue if isinstance(operation, ColorJitter) else operation.delta
    turns = between(u[:, HUE[type(operation)]], *span(shift))
    return np.where(u[:, 0] < operation.p, turns, 0.0)


def _active(value: float | tuple[float, float], neutral: float) -> bool:
    return value not in (0.0, (neutral, neutral))


def _factor(value: float | tuple[float, float], u: Floats) -> Floats:
    """Factors (N, 1, 1) drawn from a range, or from max(0, 1 - b) to 1 + b for a number b."""
    low, high = value if isinstance(value, tuple) else (max(0.0, 1.0 - value), 1.0 + value)
    return between(u, low, high)[:, None, None]


def _jitter(operation: ColorJitter, u: Floats, means: Floats) -> Floats:
    unchanged = identity(*means.shape)
    brightness = unchanged * _factor(operation.brightness, u[:, 0])
    contrast = _contrast(_factor(operation.contrast, u[:, 1]), _greys(apply(brightness, means)))
    total = compose(contrast, brightness)
    if means.shape[1] == 1:
        return total
    factor = _factor(operation.saturation, u[:, 2])
    return compose(factor * unchanged + (1 - factor) * _TO_GREY, total)


def _greys(colours: Floats) -> Floats:
    """The grey of each colour (N, C) in all its channels."""
    return colours if colours.shape[1] == 1 else np.tile(colours @ GREY[:, None], (1, 3))


def _contrast(factor: Floats, pivot: Floats) -> Floats:
    """Factors (N, 1, 1) about pivots (N, C)."""
    matrices = factor * identity(*pivot.shape)
    matrices[:, :, -1] = (1 - factor[:, :, 0]) * pivot
    return matrices


def _contrast_by_channel(operation: Contrast, u: Floats, means: Floats) -> Floats:
    return _contrast(_factor(operation.factor, u[:, 0]), means)


def _brightness(operation: Brightness, u: Floats, means: Floats) -> Floats:
    delta = 255 * between(u[:, 0], *span(operation.delta))
    return _per_channel(np.ones(means.shape), np.broadcast_to(delta[:, None], means.shape))


def _grayscale(operation: Grayscale, u: Floats, means: Floats) -> Floats:
    count, channels = means.shape
    return identity(count, channels) if channels == 1 else np.tile(_TO_GREY, (count, 1, 1))


def _invert(operation: Invert, u: Floats, means: Floats) -> Floats:
    return _per_channel(np.full(means.shape, -1.0), np.full(means.shape, 255.0))


def _normalize(operation: Normalize, u: Floats, means: Floats) -> Floats:
    std = np.broadcast_to(np.array(operation.std, np.float64), means.shape)
    return _per_channel(1 / (255 * std), -np.array(operation.mean, np.float64) / std)


def _rescale(operation: Rescale, u: Floats, means: Floats) -> Floats:
    return _per_channel(np.full(means.shape, operation.scale), np.full(means.shape, operation.offset))


def _per_channel(scale: Floats, offset: Floats) -> Floats:
    matrices = identity(*scale.shape) * scale[:, :, None]
    matrices[:, :, -1] = offset
    return matrices


@final
@dataclass(frozen=True)
class Colour:
    """An affine colour operation.

    Attributes:
        draws: Uniform numbers that a sample needs, besides the one that decides whether it gets the operation.
        matrices: (operation, u, means) -> float64 (N, C, C + 1), of uniform numbers (N, draws) and means (N, C).
        every_channel: Whether the channels are all those of the image. Otherwise they are red, green and blue, or grey.
    """

    draws: int
    matrices: Callable[[Any, Floats, Floats], Floats]
    every_channel: bool = False


HUE: Mapping[type[Operation], int] = {ColorJitter: 4, Hue: 1}
"""The column of the hue's turn among an operation's uniform numbers; it is their last one."""

COLOUR: Mapping[type[Operation], Colour] = {
    ColorJitter: Colour(HUE[ColorJitter], _jitter),
    Brightness: Colour(1, _brightness),
    Contrast: Colour(1, _contrast_by_channel),
    Grayscale: Colour(0, _grayscale),
    Invert: Colour(0, _invert),
    Normalize: Colour(0, _normalize, every_channel=True),
    Rescale: Colour(0, _rescale, every_channel=True),
}
