"""The geometric operations: what each does to the coordinates of a batch of images, and to their sizes.

An operation is passed over by the samples that its `p` leaves out: they keep their size and pixels. Operations that
cut a random window still have to end at their size, so there chance alone is left out: `RandomCrop` and
`ResizeThenRandomCrop` take the middle window, `RandomResizedCrop` the whole image.

A window is a change of coordinates and does not cut pixels off: a rotation after a crop shows what lies around the
crop in the image rather than the border, as long as both are in one warp.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from vernier.augment import crops, moves
from vernier.augment.crops import Size, central_offsets, crop_offsets, full, resolved
from vernier.augment.warps import Floats, Sizes, Warp, between, identity, span
from vernier.config.augment import (
    CentralCrop,
    CentralCropThenResize,
    Operation,
    Pad,
    RandomCrop,
    RandomFlip,
    RandomHorizontalFlip,
    RandomPerspective,
    RandomResize,
    RandomResizedCrop,
    RandomRotate,
    RandomRotate90,
    RandomVerticalFlip,
    RandomWindow,
    Resize,
    ResizeThenRandomCrop,
    Shear,
    Translate,
    Zoom,
)

__all__ = [
    "GEOMETRY",
    "Floats",
    "Geometry",
    "Sizes",
    "Warp",
    "always_cuts",
    "between",
    "central_offsets",
    "crop_offsets",
    "identity",
    "least_size_after",
    "resolved",
    "size_after",
    "span",
    "warp",
]


@final
@dataclass(frozen=True)
class Geometry:
    """A geometric operation: how many uniform numbers a sample needs, and the warp that they give."""

    draws: int
    warp: Callable[[Any, Floats, Sizes], Warp]
    permutes: bool = False
    """Whether it only rearranges pixels."""


GEOMETRY: Mapping[type[Operation], Geometry] = {
    Resize: Geometry(0, crops.resize),
    RandomResize: Geometry(1, crops.random_resize),
    Pad: Geometry(0, crops.pad),
    CentralCrop: Geometry(0, crops.central_crop),
    CentralCropThenResize: Geometry(0, crops.central_crop_then_resize),
    RandomCrop: Geometry(2, crops.random_crop),
    RandomResizedCrop: Geometry(2 * crops.TRIES + 2, crops.random_resized_crop),
    ResizeThenRandomCrop: Geometry(2, crops.resize_then_random_crop),
    RandomWindow: Geometry(4, crops.random_window),
    RandomFlip: Geometry(1, moves.flip, permutes=True),
    RandomHorizontalFlip: Geometry(0, moves.horizontal_flip, permutes=True),
    RandomVerticalFlip: Geometry(0, moves.vertical_flip, permutes=True),
    RandomRotate: Geometry(1, moves.rotate),
    RandomRotate90: Geometry(1, moves.rotate90, permutes=True),
    Translate: Geometry(2, moves.translate),
    Zoom: Geometry(2, moves.zoom),
    Shear: Geometry(2, moves.shear),
    RandomPerspective: Geometry(8, moves.perspective),
}


def warp(operation: Operation, u: Floats, sizes: Sizes) -> Warp:
    """The warp of one operation for a batch.

    Args:
        operation: one of the keys of `GEOMETRY`.
        u: uniform numbers, float64 (N, 1 + draws); the first column decides who gets the operation.
        sizes: heights and widths of the images, int64 (N, 2).
    """
    chosen = GEOMETRY[type(operation)].warp(operation, u[:, 1:], sizes)
    return chosen.where(u[:, 0] < operation.p, _passed_over(operation, u[:, 1:], sizes))


def _passed_over(operation: Operation, u: Floats, sizes: Sizes) -> Warp:
    if isinstance(operation, RandomResizedCrop):
        return crops.resize(Resize(size=operation.size), u, sizes)
    if always_cuts(operation):
        return GEOMETRY[type(operation)].warp(operation, np.full_like(u, 0.5), sizes)
    return identity(sizes)


def always_cuts(operation: Operation) -> bool:
    """Whether samples that are passed over get the middle window or the whole image, at the operation's size."""
    return isinstance(operation, RandomCrop | RandomResizedCrop | ResizeThenRandomCrop)


def size_after(operation: Operation, size: Size | None) -> Size | None:
    """The size of every image after an operation, given that before it; None when images may differ."""
    match operation:
        case RandomCrop() | RandomResizedCrop() | ResizeThenRandomCrop():
            return resolved(operation.size)
        case Resize(mode="fit" | "crop" | "letterbox") | CentralCrop(fraction=None) | CentralCropThenResize():
            after: Size | None = resolved(operation.size)
        case Resize() | CentralCrop() | Pad():
            after = None if size is None else _only_size(operation, size)
        case RandomResize():
            after = None
        case RandomRotate90() if size is not None and size[0] != size[1]:
            after = _size_after_turns(operation.turns, size)
        case _:
            after = size
    return after if operation.is_certain or after == size else None


def _only_size(operation: Operation, size: Size) -> Size:
    height, width = GEOMETRY[type(operation)].warp(operation, np.zeros((1, 0)), np.array([size])).sizes[0]
    return int(height), int(width)


def _size_after_turns(turns: tuple[int, ...], size: Size) -> Size | None:
    sizes = {size[::-1] if turn % 2 else size for turn in turns}
    return sizes.pop() if len(sizes) == 1 else None


def least_size_after(operation: Operation, sizes: Sizes) -> Sizes:
    """Lower bounds of heights and widths after an operation, of lower bounds before it; both int64 (N, 2)."""
    after = _least_size(operation, sizes)
    return after if operation.is_certain or always_cuts(operation) else np.minimum(after, sizes)


def _least_size(operation: Operation, sizes: Sizes) -> Sizes:
    match operation:
        case Resize(mode="longest") | RandomResize(mode="longest"):
            # The shorter side may become as short as that.
            return np.ones_like(sizes)
        case RandomResize():
            low = np.rint(operation.scale[0] * np.array(resolved(operation.size)))
            return full(sizes, (max(int(low[0]), 1), max(int(low[1]), 1)))
        case Resize() | CentralCropThenResize() | RandomCrop() | RandomResizedCrop() | ResizeThenRandomCrop():
            return full(sizes, resolved(operation.size))
        case CentralCrop() | Pad():
            return GEOMETRY[type(operation)].warp(operation, np.zeros((len(sizes), 0)), sizes).sizes
        case RandomRotate90():
            return np.broadcast_to(sizes.min(axis=1, keepdims=True), sizes.shape)
        case _:
            return sizes
