"""How many pixels of an image lie under one pixel of what augmentation makes of it."""

from collections.abc import Iterable, Sequence
from itertools import product
from math import hypot, radians, tan
from typing import Final

import numpy as np

from vernier.augment.colour import COLOUR, HUE
from vernier.augment.crops import full
from vernier.augment.geometry import (
    GEOMETRY,
    Floats,
    Sizes,
    always_cuts,
    least_size_after,
    resolved,
    size_after,
    span,
    warp,
)
from vernier.augment.pixel.table import PIXEL
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

_RESIZES: Final = (Resize, RandomResize, CentralCropThenResize)
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
    density = np.ones(len(sizes))
    if _counts_native_pixels(operations):
        return density
    exact: Sizes | None = sizes
    least = sizes
    for operation in operations:
        if type(operation) in COLOUR or type(operation) in HUE:
            continue
        factor = _density(operation, least, exact)
        density = density * (factor if operation.is_certain or always_cuts(operation) else np.minimum(factor, 1.0))
        exact = _exact_after(operation, exact, least)
        least = least_size_after(operation, least) if exact is None else exact
    return density


def _counts_native_pixels(operations: Iterable[Operation]) -> bool:
    for operation in operations:
        kind = type(operation)
        if kind not in COLOUR and kind not in HUE and kind not in GEOMETRY:
            return True
        if isinstance(operation, RandomCrop | Pad) or (isinstance(operation, CentralCrop) and _has_size(operation)):
            return True
        if isinstance(operation, RandomResizedCrop | ResizeThenRandomCrop):
            return False
        if isinstance(operation, _RESIZES) and operation.is_certain:
            return False
    return False


def _has_size(operation: CentralCrop) -> bool:
    return operation.fraction is None


def _exact_after(operation: Operation, sizes: Sizes | None, like: Sizes) -> Sizes | None:
    """The sizes after an operation, of those before it; None where they are drawn or not known."""
    fixed = size_after(operation, None)
    if fixed is not None:
        return full(like, fixed)
    if sizes is None:
        return None
    if isinstance(operation, RandomResize):
        return None
    if isinstance(operation, RandomRotate90):
        return sizes if (sizes[:, 0] == sizes[:, 1]).all() else None
    if isinstance(operation, Resize | CentralCrop | CentralCropThenResize | Pad):
        after = GEOMETRY[type(operation)].warp(operation, np.zeros((len(sizes), 0)), sizes).sizes
        return after if operation.is_certain or np.array_equal(after, sizes) else None
    return sizes


def _density(operation: Operation, sizes: Sizes, exact: Sizes | None) -> Floats:
    """Pixels before the operation under one after it: a lower bound, (N,), of images of at least these sizes."""
    match operation:
        case Resize():
            return _resize(operation.mode, np.array(resolved(operation.size), np.float64), sizes)
        case RandomResize():
            return _resize(operation.mode, operation.scale[1] * np.array(resolved(operation.size)) + 0.5, sizes)
        case CentralCropThenResize():
            target = np.array(resolved(operation.size))
            extents = operation.fraction * (sizes / target).min(axis=1, keepdims=True) * target
            return _narrowest(np.maximum(extents - 0.5, 1.0), target)
        case RandomResizedCrop():
            return _random_resized_crop(operation, sizes)
        case ResizeThenRandomCrop():
            return _narrowest(sizes, np.array(resolved(operation.resize)))
        case RandomWindow():
            least = min(
                _least_extent(operation.centre_x, operation.width), _least_extent(operation.centre_y, operation.height)
            )
            return _same(sizes) * least
        case Zoom():
            return _same(sizes) / max(operation.scale[1], *(operation.scale_y or operation.scale))
        case Shear():
            return _same(sizes) / (_stretch(operation.x) * _stretch(operation.y))
        case RandomPerspective() if operation.distortion < _FOLDING and exact is not None:
            return _perspective(operation, exact)
    if type(operation) in PIXEL or isinstance(operation, _UNSCALED):
        return _same(sizes)
    # Unlimited, or not known here: nothing is to spare.
    return np.zeros(len(sizes))


_UNSCALED: Final = (
    RandomCrop,
    CentralCrop,
    Pad,
    RandomFlip,
    RandomHorizontalFlip,
    RandomVerticalFlip,
    RandomRotate,
    RandomRotate90,
    Translate,
)
"""These move or leave out pixels and stretch none."""


def _same(sizes: Sizes) -> Floats:
    return np.ones(len(sizes))


def _narrowest(extents: np.ndarray, size: np.ndarray) -> Floats:
    """Pixels of windows (N, 2) under one pixel of `size`, on the side that has fewer."""
    narrowest: Floats = (extents / size).min(axis=1)
    return narrowest


def _resize(mode: str, target: Floats, sizes: Sizes) -> Floats:
    if mode not in ("letterbox", "longest"):
        return _narrowest(sizes, target)
    # The shorter side is rounded, to one pixel at least.
    scale = (target / sizes).min(axis=1, keepdims=True)
    return np.asarray((sizes / np.maximum(sizes * scale + 0.5, 1.0)).min(axis=1))


def _random_resized_crop(operation: RandomResizedCrop, sizes: Sizes) -> Floats:
    low, high = operation.ratio
    area = operation.scale[0] * sizes.prod(axis=1)
    drawn = np.sqrt(np.stack([area / high, area * low], axis=1)) - 0.5
    # What is taken where no drawn window fits.
    height, width = sizes.T
    widest = np.stack([np.minimum(height, width / low - 0.5), np.minimum(width, height * high - 0.5)], axis=1)
    extents = np.maximum(np.minimum(drawn, widest), 1.0)
    return _narrowest(extents, np.array(resolved(operation.size)))


def _least_extent(centres: tuple[float, float], extents: tuple[float, float]) -> float:
    """Of a window cut off at the edges, as a share: the smallest, with its middle at an end of its range."""
    half = extents[0] / 2
    return min(min(centre + half, 1.0) - max(centre - half, 0.0) for centre in centres)


def _stretch(degrees: float | tuple[float, float]) -> float:
    """The larger singular value of a shear; the smaller is its inverse."""
    shift = tan(radians(max(map(abs, span(degrees)))))
    return (shift + hypot(shift, 2)) / 2


def _perspective(operation: RandomPerspective, sizes: Sizes) -> Floats:
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
