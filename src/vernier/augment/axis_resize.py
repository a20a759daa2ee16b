"""Resizes of training that name a kernel of their own: along the axes, one after the other, instead of in a warp."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, final

import cv2
import numpy as np

from vernier.augment.borders import Border, padded
from vernier.augment.geometry import Floats, Sizes, Warp, resolved
from vernier.augment.preprocess import axis_steps
from vernier.augment.resample import AxisStep, Kernel, banded_axis, nearest_places, resample
from vernier.config.augment import Operation, RandomResizedCrop, Resize, ResizeThenRandomCrop
from vernier.config.operations.base import Interpolation

_OPENCV_CHANNELS: Final = 4

Steps = tuple[tuple[AxisStep, ...], tuple[AxisStep, ...]]
"""What happens to the rows and to the columns."""


def has_own_kernel(operation: Operation) -> bool:
    """Whether an operation is a resize that no warp can do."""
    if not isinstance(operation, Resize | RandomResizedCrop | ResizeThenRandomCrop):
        return False
    return operation.interpolation is not None or not operation.antialias


@final
@dataclass(frozen=True)
class ResizeDraw:
    """A resize with what was drawn for a batch.

    Attributes:
        warp: The same as a warp.
        interpolation: The kernel where the operation names none.
        border: What lies outside the image.
        fills: Value of a constant border, from 0 to 255, for each image.
    """

    operation: Resize | RandomResizedCrop | ResizeThenRandomCrop
    warp: Warp
    interpolation: Interpolation
    border: Border
    fills: Floats

    @property
    def sizes(self) -> Sizes:
        """Heights and widths afterwards, int64 (N, 2)."""
        return self.warp.sizes

    def apply(self, number: int, image: np.ndarray) -> np.ndarray:
        """The image at a place of the batch, uint8 or float32 (H, W, C), resized: (h, w, C).

        float32, or as it was where pixels are only picked out.
        """
        height, width, _ = image.shape
        rows, columns = self.steps(number)
        down, across = nearest_places(rows, height), nearest_places(columns, width)
        if down is not None and across is not None:
            return _pick(image, down, across)
        vertical, horizontal = banded_axis(rows, height), banded_axis(columns, width)
        planes = resample(image, vertical, horizontal)
        if self.border.kind != "constant":
            planes = _bordered(planes, (vertical.coverage, horizontal.coverage), self.border)
        elif self.fills[number]:
            planes += self.fills[number] * (1 - np.outer(vertical.coverage, horizontal.coverage))
        return np.ascontiguousarray(planes.transpose(1, 2, 0))

    def steps(self, number: int) -> Steps:
        """Of the image at a place of the batch."""
        operation, kernel = self.operation, self._kernel
        matrix, size, target = (each[number] for each in (self.warp.matrices, self.warp.source_sizes, self.warp.sizes))
        if np.array_equal(matrix, np.eye(3)):
            return (), ()
        if isinstance(operation, Resize):
            return axis_steps((operation,), (int(size[0]), int(size[1])), self.interpolation)
        scale, shift = matrix[[1, 0], [1, 0]], matrix[[1, 0], 2]
        if isinstance(operation, RandomResizedCrop):
            extent, start = np.rint(scale * target).astype(int), np.rint(shift).astype(int)
            rows, columns = (_of_window(*axis, kernel) for axis in zip(size, start, extent, target, strict=True))
        else:
            inner, start = resolved(operation.resize), np.rint(shift / scale).astype(int)
            rows, columns = (_then_window(*axis, kernel) for axis in zip(inner, start, target, strict=True))
        return rows, columns

    @property
    def _kernel(self) -> Kernel:
        return Kernel(self.operation.interpolation or self.interpolation, self.operation.antialias)


def _of_window(size: int, start: int, extent: int, target: int, kernel: Kernel) -> tuple[AxisStep, ...]:
    """Cut a window out, then resize it."""
    return AxisStep(int(size), int(start), int(start + extent)), AxisStep(int(target), 0, int(target), kernel)


def _then_window(inner: int, start: int, target: int, kernel: Kernel) -> tuple[AxisStep, ...]:
    """Resize, then cut a window out."""
    return (AxisStep(int(inner), int(start), int(start + target), kernel),)


def _bordered(planes: np.ndarray, coverages: tuple[np.ndarray, np.ndarray], border: Border) -> np.ndarray:
    """Planes (C, h, w) whose rows and columns outside the image, where the coverage is 0, are those of the border."""
    inside = [np.flatnonzero(coverage > 0.5) for coverage in coverages]
    top, bottom, left, right = (int(end) for places in inside for end in (places[0], places[-1] + 1))
    height, width = planes.shape[1:]
    widths = ((0, 0), (top, height - bottom), (left, width - right))
    return padded(planes[:, top:bottom, left:right], widths, border)


def _pick(image: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Some pixels of an image (H, W, C): (rows, columns, C)."""
    height, width, channels = image.shape
    if channels <= _OPENCV_CHANNELS and _is_opencvs(height, rows) and _is_opencvs(width, columns):
        size = (len(columns), len(rows))
        resized: np.ndarray = cv2.resize(image, size, interpolation=cv2.INTER_NEAREST_EXACT)
        return resized.reshape(len(rows), len(columns), channels)
    # Single numbers are gathered a quarter faster than pixels of three.
    places = (columns[:, None] * channels + np.arange(channels)).ravel()
    picked = image.take(rows, axis=0).reshape(len(rows), -1).take(places, axis=1)
    pixels: np.ndarray = picked.reshape(len(rows), len(columns), channels)
    return pixels


def _is_opencvs(length: int, places: np.ndarray) -> bool:
    """Whether OpenCV's nearest resize picks these places of an axis: it may not where two are equally near."""
    return np.array_equal(places, _opencvs(length, len(places)))


@lru_cache(maxsize=4096)
def _opencvs(length: int, resized: int) -> np.ndarray:
    row = np.arange(length, dtype=np.float32)[None]
    picked: np.ndarray = cv2.resize(row, (resized, 1), interpolation=cv2.INTER_NEAREST_EXACT)[0]
    return picked
