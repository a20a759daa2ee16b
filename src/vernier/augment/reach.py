"""How many pixels of an image lie under one pixel of what augmentation makes of it."""

from collections.abc import Iterable, Sequence
from itertools import product
from math import hypot, radians, tan
from typing import Final

import numpy as np

from vernier.augment.geometry import GEOMETRY, Floats, Sizes, resolved, warp
from vernier.augment.pixel.table import PIXEL
from vernier.config.augment import (
    CentralCrop,
    ColorJitter,
    Normalize,
    Operation,
    RandomCrop,
    RandomHorizontalFlip,
    RandomPerspective,
    RandomResizedCrop,
    RandomRotate,
    RandomRotate90,
    RandomVerticalFlip,
    Rescale,
    Resize,
    ResizeThenRandomCrop,
    Shear,
    Translate,
    Zoom,
)
from vernier.config.types import Auto

_COLOUR: Final = (ColorJitter, Normalize, Rescale)
_CROPS: Final = (RandomCrop, RandomResizedCrop, ResizeThenRandomCrop)
"""These crop whatever chance says: a sample that is passed over gets the middle or the whole."""
_FOLDING: Final = 0.66
"""From a distortion of 2/3 on, quadrilaterals need not be convex, and stretch without limit."""
_GRID: Final = 9


def pixels_per_pixel(operations: Sequence[Operation], sizes: Sizes) -> Floats:
    """A lower bound, over all draws, places and directions, of the image's pixels under one pixel of the result.

    An image that is decoded at one over this number still has, under the smallest crop, a pixel for every pixel of
    the result. It is 1 where operations count pixels of the image before it is resized, and where an operation is
    not known here.

    Args:
        operations: In order, without `auto`.
        sizes: Heights and widths of the images, int64 (N, 2).

    Returns:
        float64 (N,), above 0.
    """
    density, current = np.ones(len(sizes)), sizes.astype(np.float64)
    if _counts_native_pixels(operations):
        return density
    for operation in operations:
        if isinstance(operation, _COLOUR):
            continue
        factor, after = _step(operation, current)
        if not operation.is_certain and not isinstance(operation, _CROPS):
            factor, after = np.minimum(factor, 1.0), np.minimum(after, current)
        density, current = density * factor, after
    return density


def _counts_native_pixels(operations: Iterable[Operation]) -> bool:
    for operation in operations:
        if not isinstance(operation, _COLOUR) and type(operation) not in GEOMETRY:
            return True
        if isinstance(operation, RandomCrop) or (isinstance(operation, CentralCrop) and operation.fraction is None):
            return True
        if isinstance(operation, RandomResizedCrop | ResizeThenRandomCrop):
            return False
        if isinstance(operation, Resize) and operation.is_certain:
            return False
    return False


def _step(operation: Operation, sizes: Floats) -> tuple[Floats, Floats]:
    """Pixels before the operation under one after it (N,), and sizes after it (N, 2): lower bounds of both."""
    match operation:
        case Resize():
            return _resize(operation, sizes)
        case RandomResizedCrop():
            return _random_resized_crop(operation, sizes)
        case ResizeThenRandomCrop():
            return _narrowest(sizes, resolved(operation.resize)), _full(sizes, operation.size)
        case RandomCrop() | CentralCrop(fraction=None):
            return _same(sizes), _full(sizes, operation.size)
        case CentralCrop(fraction=float(fraction)):
            return _same(sizes), np.maximum(sizes * fraction - 0.5, 1.0)
        case RandomRotate90():
            return _same(sizes), np.broadcast_to(sizes.min(axis=1, keepdims=True), sizes.shape)
        case Zoom():
            return _same(sizes) / operation.scale[1], sizes
        case Shear():
            return _same(sizes) / (_stretch(operation.x) * _stretch(operation.y)), sizes
        case RandomPerspective() if operation.distortion < _FOLDING:
            return _perspective(operation, sizes), sizes
        case RandomHorizontalFlip() | RandomVerticalFlip() | RandomRotate() | Translate():
            return _same(sizes), sizes
    if type(operation) in PIXEL:
        return _same(sizes), sizes
    # Unlimited, or not known here: nothing is to spare.
    return np.zeros(len(sizes)), sizes


def _same(sizes: Floats) -> Floats:
    return np.ones(len(sizes))


def _full(sizes: Floats, size: tuple[int, int] | Auto) -> Floats:
    return np.broadcast_to(np.array(resolved(size), np.float64), sizes.shape)


def _narrowest(extents: Floats, size: tuple[int, int]) -> Floats:
    """Pixels of windows (N, 2) under one pixel of `size`, on the side that has fewer."""
    narrowest: Floats = (extents / np.array(size)).min(axis=1)
    return narrowest


def _resize(operation: Resize, sizes: Floats) -> tuple[Floats, Floats]:
    target = resolved(operation.size)
    if operation.mode == "letterbox":
        # The shorter side is rounded, to one pixel at least.
        scale = (np.array(target) / sizes).min(axis=1, keepdims=True)
        density = (sizes / np.maximum(sizes * scale + 0.5, 1.0)).min(axis=1)
    else:
        density = _narrowest(sizes, target)
    return density, _full(sizes, target)


def _random_resized_crop(operation: RandomResizedCrop, sizes: Floats) -> tuple[Floats, Floats]:
    low, high = operation.ratio
    area = operation.scale[0] * sizes.prod(axis=1)
    drawn = np.sqrt(np.stack([area / high, area * low], axis=1)) - 0.5
    # What is taken where no drawn window fits.
    height, width = sizes.T
    widest = np.stack([np.minimum(height, width / low - 0.5), np.minimum(width, height * high - 0.5)], axis=1)
    extents = np.maximum(np.minimum(drawn, widest), 1.0)
    return _narrowest(extents, resolved(operation.size)), _full(sizes, operation.size)


def _stretch(degrees: float) -> float:
    """The larger singular value of a shear; the smaller is its inverse."""
    shift = tan(radians(degrees))
    return (shift + hypot(shift, 2)) / 2


def _perspective(operation: RandomPerspective, sizes: Floats) -> Floats:
    """One over the largest stretch of an image onto the quadrilaterals, found at the extremes of their corners.

    A unit square is stretched by matrices [[a, b], [c, d]] of derivatives, an image H by W by [[a, bW/H], [cH/W, d]].
    The largest of each entry, taken apart, stretch at least as far as any matrix of them.
    """
    a, b, c, d = _largest_derivatives(operation.distortion)
    aspect = sizes[:, 1] / sizes[:, 0]
    across, down = b * aspect, c / aspect
    total, determinant = a**2 + across**2 + down**2 + d**2, a * d - across * down
    largest = np.sqrt((total + np.sqrt(np.maximum(total**2 - 4 * determinant**2, 0.0))) / 2)
    return np.asarray(1 / largest)


def _largest_derivatives(distortion: float) -> tuple[float, float, float, float]:
    corners = np.array(list(product((0.0, 1.0), repeat=8)))
    u = np.column_stack([np.zeros(len(corners)), corners])
    operation = RandomPerspective(distortion=distortion, p=1.0)
    forward = np.linalg.inv(warp(operation, u, np.ones((len(u), 2), np.int64)).matrices)
    side = np.linspace(0.0, 1.0, _GRID)
    points = np.array([(x, y, 1.0) for x in side for y in side])
    homogeneous = forward @ points.T
    depth = homogeneous[:, 2:]
    mapped = homogeneous[:, :2] / depth
    derivatives = (forward[:, :2, :2, None] - mapped[:, :, None] * forward[:, 2:, :2, None]) / depth[:, None]
    a, b, c, d = np.abs(derivatives).max(axis=(0, 3)).ravel().tolist()
    return a, b, c, d
