"""What the stages of a plan do to one image, in OpenCV.

OpenCV puts pixel centres on whole numbers; `_pixel_matrices` is the one place that knows. A grey image is 2-D here,
since OpenCV drops a last axis of length 1. Everything is written to memory that has been written before.
"""

from abc import ABC, abstractmethod
from typing import Final, final

import cv2
import numpy as np

from vernier.augment.axis_resize import ResizeDraw
from vernier.augment.borders import WarpDraw
from vernier.augment.buffers import Scratch
from vernier.augment.colour import ColourDraw, HueDraw
from vernier.augment.geometry import Floats, Warp
from vernier.augment.pixel.hsv import turn_hue
from vernier.augment.pixel.operation import PixelDraw
from vernier.augment.plan import Draw, Plan
from vernier.augment.sampling import box_taps, inside_rows, leaves_source, plan_sampling

_INTERPOLATION: Final = {
    "bilinear": cv2.INTER_LINEAR,
    "bicubic": cv2.INTER_CUBIC,
    "nearest": cv2.INTER_NEAREST,
}
_BORDER: Final = {
    "constant": cv2.BORDER_REPLICATE,
    "reflect": cv2.BORDER_REFLECT,
    "replicate": cv2.BORDER_REPLICATE,
    "wrap": cv2.BORDER_WRAP,
}
"""A constant border starts where the image ends, so up to there the edge pixels count; the fill comes after."""

_MEAN_CHANNELS: Final = 4
"""As many as `cv2.mean` takes."""


class Pass(ABC):
    """One stage of a plan, drawn for a batch."""

    @abstractmethod
    def run(self, number: int, image: np.ndarray, result: np.ndarray | None) -> np.ndarray:
        """The pixels of an image after the stage.

        Args:
            number: place of the image in the batch.
            image: uint8 or float32, (H, W, C) or (H, W); not written to.
            result: float32, where the pixels go; without it to the stage's scratch.

        Returns:
            The result, or pixels that last until the same stage runs again in the same thread.
        """


def make_pass(draw: Draw, plan: Plan, scratch: Scratch) -> Pass:
    """The pass of what was drawn for one stage; each stage has a scratch of its own."""
    match draw:
        case WarpDraw():
            return WarpPass(draw, plan, scratch)
        case ColourDraw():
            return ColourPass(draw, plan.channels, scratch)
        case HueDraw():
            return HuePass(draw, scratch)
        case ResizeDraw():
            return ResizePass(draw)
        case PixelDraw():
            return PixelPass(draw, plan.colours, scratch)


@final
class WarpPass(Pass):
    """A warp, smoothed first where it shrinks."""

    def __init__(self, draw: WarpDraw, plan: Plan, scratch: Scratch) -> None:
        warp = draw.warp
        sampling = plan_sampling(warp, border=draw.border, smooth=plan.interpolation != "nearest")
        self._windows = sampling.windows.tolist()
        self._halvings, self._variances = sampling.halvings, sampling.variances
        self._halved = sampling.halvings.max(axis=1).tolist()
        self._smoothed = sampling.variances.max(axis=1).tolist()
        self._matrices = _pixel_matrices(sampling.matrices)
        self._sizes = warp.sizes.tolist()
        self._flags = _INTERPOLATION[plan.interpolation] | cv2.WARP_INVERSE_MAP
        self._border = _BORDER[draw.border]
        self._scratch = scratch
        self._outside = Outside(warp, draw.fills, plan.channels) if draw.border == "constant" else None

    def run(self, number: int, image: np.ndarray, result: np.ndarray | None) -> np.ndarray:
        """See `Pass.run`."""
        top, left, bottom, right = self._windows[number]
        window = image[top:bottom, left:right]
        if self._halved[number]:
            window = _halve(window, self._halvings[number])
        if image.ndim == 2:
            return self._warp(number, window)
        height, width = self._sizes[number]
        channels = image.shape[2]
        into = self._scratch.take("warped", (height, width, channels)) if result is None else result
        if channels == 3:
            return cv2.cvtColor(self._warp(number, self._with_fourth(window)), cv2.COLOR_RGBA2RGB, dst=into)
        # With two channels, or more than four, OpenCV interpolates at 1/32 pixel.
        for first in range(0, channels, 4):
            four = self._scratch.take("four", (*window.shape[:2], 4), window.dtype)
            places = [first + place if first + place < channels else -1 for place in range(4)]
            cv2.mixChannels([window], [four], [end for pair in zip(places, range(4), strict=True) for end in pair])
            warped = self._warp(number, four)
            back = [end for place in places if place >= 0 for end in (place - first, place)]
            cv2.mixChannels([warped], [into], back)
        return into

    def _warp(self, number: int, window: np.ndarray) -> np.ndarray:
        """The window, (H, W) or (H, W, 4), warped, with what lies outside the image."""
        warped = self._interpolate(number, self._source(number, window))
        if self._outside is not None:
            self._outside.fill(number, warped, self._scratch)
        return warped

    def _with_fourth(self, window: np.ndarray) -> np.ndarray:
        """Four channels are warped in half the time of three."""
        shape = (*window.shape[:2], 4)
        return cv2.cvtColor(window, cv2.COLOR_RGB2RGBA, dst=self._scratch.take("rgba", shape, window.dtype))

    def _source(self, number: int, window: np.ndarray) -> np.ndarray:
        """The float32 window, smoothed."""
        if not self._smoothed[number]:
            return as_float(window, self._scratch)
        y, x = (box_taps(variance) for variance in self._variances[number])
        if self._border != cv2.BORDER_WRAP:
            into = self._scratch.take("source", window.shape)
            return cv2.sepFilter2D(window, cv2.CV_32F, x, y, dst=into, borderType=cv2.BORDER_REPLICATE)
        # A filter does not wrap by itself.
        beside, around = len(x) // 2, len(y) // 2
        window = cv2.copyMakeBorder(window, around, around, beside, beside, cv2.BORDER_WRAP)
        smoothed = cv2.sepFilter2D(window, cv2.CV_32F, x, y)
        height, width = window.shape[:2]
        return smoothed[around : height - around, beside : width - beside]

    def _interpolate(self, number: int, source: np.ndarray) -> np.ndarray:
        height, width = self._sizes[number]
        return cv2.warpPerspective(
            source,
            self._matrices[number],
            (width, height),
            dst=self._scratch.take("interpolated", (height, width, *source.shape[2:])),
            flags=self._flags,
            borderMode=self._border,
        )


@final
class Outside:
    """The pixels of warped images that lie outside their sources, and the value, float64 (N,), that each image has."""

    def __init__(self, warp: Warp, fills: Floats, channels: int) -> None:
        self._leaving = leaves_source(warp).tolist()
        leaving = np.flatnonzero(self._leaving)
        self._places = {int(number): place for place, number in enumerate(leaving)}
        part = Warp(warp.matrices[leaving], warp.source_sizes[leaving], warp.sizes[leaving])
        self._rows = inside_rows(part).astype(np.int16)
        height, width = part.sizes.max(axis=0, initial=0)
        self._columns = np.arange(width, dtype=np.int16)
        self._fills = fills.tolist()
        shape = (height, width, 4) if channels > 1 else (height, width)
        self._filled = {fill: np.full(shape, fill, np.float32) for fill in {self._fills[n] for n in self._places}}

    def fill(self, number: int, image: np.ndarray, scratch: Scratch) -> None:
        """Write the fill to an image, float32 (H, W, 4) or (H, W)."""
        place = self._places.get(number)
        if place is None:
            return
        height, width = image.shape[:2]
        first, stop = self._rows[place, :height, :1], self._rows[place, :height, 1:]
        columns = self._columns[:width]
        before, after = (scratch.take(name, (height, width), np.bool_) for name in ("before", "after"))
        np.less(columns, first, out=before)
        np.greater_equal(columns, stop, out=after)
        np.logical_or(before, after, out=before)
        cv2.copyTo(self._filled[self._fills[number]][:height, :width], before.view(np.uint8), image)


@final
class ColourPass(Pass):
    """One matrix."""

    def __init__(self, draw: ColourDraw, channels: int, scratch: Scratch) -> None:
        self._scratch = scratch
        matrices, slopes = draw.by_mean(channels)
        self._matrices = matrices.astype(np.float32)
        self._offsets = matrices[:, :, -1]
        self._slopes = slopes if draw.needs_means else None

    def run(self, number: int, image: np.ndarray, result: np.ndarray | None) -> np.ndarray:
        """See `Pass.run`."""
        matrix = self._matrices[number]
        if self._slopes is not None:
            mean = _means(image)
            matrix[:, -1] = self._offsets[number] + self._slopes[number] @ mean
        into = self._scratch.take("coloured", image.shape) if result is None else result
        return cv2.transform(as_float(image, self._scratch), matrix, dst=into)


@final
class HuePass(Pass):
    """A turn of hue."""

    def __init__(self, draw: HueDraw, scratch: Scratch) -> None:
        self._scratch = scratch
        self._turns, self._colours = draw.turns.tolist(), draw.colours

    def run(self, number: int, image: np.ndarray, result: np.ndarray | None) -> np.ndarray:
        """See `Pass.run`."""
        turn = self._turns[number]
        if turn == 0:
            return image
        if self._colours == tuple(range(image.shape[2])):
            return turn_hue(image, turn, self._scratch, result)
        into = self._scratch.take("turned", image.shape) if result is None else result
        np.copyto(into, image)
        into[..., self._colours] = turn_hue(np.ascontiguousarray(image[..., self._colours]), turn, self._scratch)
        return into


@final
class ResizePass(Pass):
    """A resize along the axes."""

    def __init__(self, draw: ResizeDraw) -> None:
        self._draw = draw

    def run(self, number: int, image: np.ndarray, result: np.ndarray | None) -> np.ndarray:
        """See `Pass.run`."""
        resized = self._draw.apply(number, image[..., None] if image.ndim == 2 else image)
        return resized[..., 0] if image.ndim == 2 else resized


@final
class PixelPass(Pass):
    """An operation on the pixels of one image."""

    def __init__(self, draw: PixelDraw, colours: tuple[int, ...], scratch: Scratch) -> None:
        self._draw, self._colours, self._scratch = draw, colours, scratch

    def run(self, number: int, image: np.ndarray, result: np.ndarray | None) -> np.ndarray:
        """See `Pass.run`."""
        whole = image[..., None] if image.ndim == 2 else image
        changed = self._draw.apply(number, whole, self._colours, self._scratch)
        return changed[..., 0] if image.ndim == 2 else changed


def _means(image: np.ndarray) -> np.ndarray:
    """The mean of each channel, float64 (C,)."""
    channels = 1 if image.ndim == 2 else image.shape[2]
    if channels <= _MEAN_CHANNELS:
        return np.array(cv2.mean(image)[:channels])
    means: np.ndarray = image.mean(axis=(0, 1), dtype=np.float64)
    return means


def as_float(image: np.ndarray, scratch: Scratch) -> np.ndarray:
    """The image in float32."""
    if image.dtype == np.float32:
        return image
    into = scratch.take("source", image.shape)
    np.copyto(into, image)
    return into


def _pixel_matrices(matrices: Floats) -> Floats:
    """The same maps between coordinates in which the first pixel's centre is at 0 instead of 0.5."""
    half = np.eye(3)
    half[:2, 2] = 0.5
    return np.linalg.inv(half) @ matrices @ half


def _halve(image: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Means of 2 x 2 (2 x 1, 1 x 2) pixels, `times` (y, x) in a row; an odd side repeats its last pixel."""
    for done in range(max(times)):
        y, x = np.where(times > done, 2, 1)
        height, width = image.shape[:2]
        below, beside = -height % y, -width % x
        if below or beside:
            image = cv2.copyMakeBorder(image, 0, below, 0, beside, cv2.BORDER_REPLICATE)
        size = ((width + beside) // x, (height + below) // y)
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return image
