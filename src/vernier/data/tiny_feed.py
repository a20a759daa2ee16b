"""Batches of very small images, warped all at once.

Up to some hundred pixels an image, the calls that OpenCV takes for each image cost more than the work in them.
"""

import math
from typing import Final, TypeGuard, final

import numpy as np
import numpy.typing as npt
import torch

from vernier.augment.borders import WarpDraw
from vernier.augment.buffers import Allocate
from vernier.augment.colour import ColourDraw
from vernier.augment.opencv_backend import OpenCVBackend
from vernier.augment.plan import ColourStage, GeometryStage, Plan
from vernier.augment.sampling import inside_rows, is_smoothed
from vernier.config.augment import RandomPerspective
from vernier.data.feed_base import Feed

Pixels = npt.NDArray[np.float32]

_LARGEST_RESULT: Final = 16 * 16
"""Values of an image (pixels times channels) up to which this is faster than OpenCV."""


def is_tiny(array: np.ndarray | None, plan: Plan) -> TypeGuard[np.ndarray]:
    """Whether a `TinyFeed` of these images, uint8 (N, H, W, C), gives what the plan says, and sooner."""
    if array is None or plan.interpolation != "bilinear":
        return False
    kinds = [type(stage) for stage in plan.stages]
    if kinds not in ([GeometryStage], [GeometryStage, ColourStage]):
        return False
    largest = max(math.prod(array.shape[1:]), math.prod(plan.output_size) * plan.channels)
    return largest <= _LARGEST_RESULT and not _needs_single_images(plan)


def _needs_single_images(plan: Plan) -> bool:
    """Whether a warp is not affine, or a colour depends on an image's mean."""
    for stage in plan.stages:
        if isinstance(stage, GeometryStage):
            if any(isinstance(step.operation, RandomPerspective) for step in stage.steps):
                return True
        elif not isinstance(stage, ColourStage) or stage.has_contrast:
            return True
    return False


@final
class TinyFeed(Feed):
    """Interpolates between the pixels of all images of a batch at once.

    An image that shrinks is left to OpenCV, which smooths it first.

    Args:
        array: uint8 (N, H, W, C), for which `is_tiny` holds.
        plan: what is done to the images.
        allocate: gives the memory of a batch.
    """

    callers = 2
    samples_at_once = 512

    def __init__(self, array: np.ndarray, plan: Plan, allocate: Allocate) -> None:
        self._images, self._plan, self._allocate = array, plan, allocate
        self._backend = OpenCVBackend(plan, 0)

    def batch(self, positions: np.ndarray, epoch: int) -> torch.Tensor:
        """See `Feed.batch`."""
        plan = self._plan
        batch = self._allocate((len(positions), *plan.output_size, plan.channels))
        result = batch.numpy()
        sizes = np.tile(np.array(self._images.shape[1:3], np.int64), (len(positions), 1))
        draw, *colours = plan.draw(positions, epoch, sizes)
        assert isinstance(draw, WarpDraw), "`is_tiny` holds"
        self._warp(positions, draw, result)
        for colour in colours:
            assert isinstance(colour, ColourDraw), "`is_tiny` holds"
            _transform(result, colour.by_mean(plan.channels)[0].astype(np.float32))
        smoothed = np.flatnonzero(is_smoothed(draw.warp))
        if len(smoothed):
            places = positions[smoothed]
            result[smoothed] = self._backend.batch(self._images[places], places, epoch).permute(0, 2, 3, 1).numpy()
        return batch.permute(0, 3, 1, 2)

    def _warp(self, positions: np.ndarray, draw: WarpDraw, result: Pixels) -> None:
        """Bilinear interpolation at the middles of the output's pixels, edge pixels going on outside."""
        height, width = self._images.shape[1:3]
        y, x = _coordinates(draw.warp.matrices.astype(np.float32), *self._plan.output_size)
        top, bottom, down = _neighbours(y, height, draw.border)
        left, right, across = _neighbours(x, width, draw.border)
        rows = (positions * height)[:, None, None]
        top, bottom = (rows + top) * width, (rows + bottom) * width
        pixels = self._images.reshape(-1, self._images.shape[3])
        upper = _between(pixels.take(top + left, 0), pixels.take(top + right, 0), across)
        lower = _between(pixels.take(bottom + left, 0), pixels.take(bottom + right, 0), across)
        np.copyto(result, _between(upper, lower, down))
        if draw.border == "constant":
            bounds, columns = inside_rows(draw.warp), np.arange(result.shape[2])
            inside = (columns >= bounds[..., :1]) & (columns < bounds[..., 1:])
            fills = draw.fills.astype(np.float32)[:, None, None, None]
            np.copyto(result, fills, where=~inside[..., None])


def _coordinates(matrices: Pixels, height: int, width: int) -> tuple[Pixels, Pixels]:
    """Source positions (y, x) of the middles of output pixels under affine maps, float32 (N, height, width) each."""
    rows = (np.arange(height, dtype=np.float32) + np.float32(0.5))[None, :, None]
    columns = (np.arange(width, dtype=np.float32) + np.float32(0.5))[None, None, :]
    by_x, by_y, start = (matrices[:, :2, column, None, None] for column in range(3))
    y, x = (by_x[:, axis] * columns + (by_y[:, axis] * rows + start[:, axis]) for axis in (1, 0))
    return y, x


def _neighbours(position: Pixels, length: int, border: str) -> tuple[np.ndarray, np.ndarray, Pixels]:
    """The pixels before and after each position along an axis, int64, and how far it is from the first, float32."""
    if border == "reflect":
        position = np.mod(position, np.float32(2 * length))
        position = np.minimum(position, np.float32(2 * length) - position)
    if border == "wrap":
        return _wrapped_neighbours(position, length)
    centred = position - np.float32(0.5)
    np.maximum(centred, 0, out=centred)
    np.minimum(centred, length - 1, out=centred)
    whole = np.floor(centred)
    before = whole.astype(np.int64)
    return before, np.minimum(before + 1, length - 1), np.subtract(centred, whole, out=centred)


def _wrapped_neighbours(position: Pixels, length: int) -> tuple[np.ndarray, np.ndarray, Pixels]:
    centred = position - np.float32(0.5)
    whole = np.floor(centred)
    before = whole.astype(np.int64) % length
    return before, (before + 1) % length, np.subtract(centred, whole, out=centred)


def _between(first: np.ndarray, second: np.ndarray, share: Pixels) -> Pixels:
    """Float32 values between two arrays (N, h, w, C), at a share (N, h, w) of the way."""
    start = first.astype(np.float32, copy=False)
    step: Pixels = np.subtract(second, start, dtype=np.float32)
    step *= share[..., None]
    step += start
    return step


def _transform(result: Pixels, matrices: Pixels) -> None:
    """Each image's matrix (C, C + 1) on its pixels, in place."""
    source = result.copy()
    *columns, offset = np.moveaxis(matrices[:, None, None], -1, 0)
    result[...] = offset
    for channel, column in enumerate(columns):
        result += source[..., channel, None] * column
