"""What each geometric operation does to the coordinates of a batch of images.

Coordinates are continuous: an image of width W spans 0 to W, the middle of its first pixel is at 0.5. A matrix maps
homogeneous OUTPUT coordinates (x, y, 1) to INPUT coordinates, so that following operations multiply from the right.
Only a backend knows about other conventions.

An operation is passed over by the samples that its `p` leaves out: they keep their size and pixels. Operations that
cut a random window still have to end at their size, so there chance alone is left out: `RandomCrop` and
`ResizeThenRandomCrop` take the middle window, `RandomResizedCrop` the whole image.

A window is a change of coordinates and does not cut pixels off: a rotation after a crop shows what lies around the
crop in the image rather than the border.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import numpy.typing as npt

from vernier.config.augment import (
    CentralCrop,
    Operation,
    RandomCrop,
    RandomHorizontalFlip,
    RandomPerspective,
    RandomResizedCrop,
    RandomRotate,
    RandomRotate90,
    RandomVerticalFlip,
    Resize,
    ResizeThenRandomCrop,
    Shear,
    Translate,
    Zoom,
)
from vernier.config.types import Auto

Floats = npt.NDArray[np.float64]
Sizes = npt.NDArray[np.int64]
"""Height and width of each image, int64 (N, 2)."""

TRIES = 10
"""Windows that RandomResizedCrop tries before it takes the middle of the image."""


@final
@dataclass(frozen=True)
class Warp:
    """Where the pixels of a batch come from: matrices float64 (N, 3, 3) from output to input coordinates."""

    matrices: Floats
    source_sizes: Sizes
    sizes: Sizes

    def then(self, after: "Warp") -> "Warp":
        """This warp, and `after` on its result."""
        return Warp(self.matrices @ after.matrices, self.source_sizes, after.sizes)

    def where(self, chosen: npt.NDArray[np.bool_], other: "Warp") -> "Warp":
        """This warp for the chosen samples, bool (N,), the other for the rest."""
        matrices = np.where(chosen[:, None, None], self.matrices, other.matrices)
        return Warp(matrices, self.source_sizes, np.where(chosen[:, None], self.sizes, other.sizes))


def identity(sizes: Sizes) -> Warp:
    """The warp that changes nothing."""
    return Warp(np.tile(np.eye(3), (len(sizes), 1, 1)), sizes, sizes)


def resolved(size: tuple[int, int] | Auto) -> tuple[int, int]:
    """Height and width of an operation whose `auto` has been replaced."""
    assert size != "auto", "operations are resolved before they are compiled"
    return size


def span(value: float | tuple[float, float]) -> tuple[float, float]:
    """The range that a field stands for: a number b is the range from -b to b."""
    return value if isinstance(value, tuple) else (-value, value)


def between(u: Floats, low: float, high: float) -> Floats:
    """Uniform numbers in [0, 1) as uniform numbers in [low, high)."""
    return low + u * (high - low)


def _full(sizes: Sizes, size: tuple[int, int]) -> Sizes:
    return np.broadcast_to(np.array(size, np.int64), sizes.shape)


def _window(sizes: Sizes, offset: np.ndarray, extent: np.ndarray, size: Sizes) -> Warp:
    """The window at `offset` (y, x) with height and width `extent`, resized to `size`; all (N, 2)."""
    matrices = np.zeros((len(sizes), 3, 3))
    scale = extent / size
    matrices[:, 0, 0], matrices[:, 1, 1], matrices[:, 2, 2] = scale[:, 1], scale[:, 0], 1.0
    matrices[:, 0, 2], matrices[:, 1, 2] = offset[:, 1], offset[:, 0]
    return Warp(matrices, sizes, size)


def _about_middle(sizes: Sizes, linear: Floats, size: Sizes) -> Warp:
    """Linear maps of (x, y), float64 (N, 2, 2), that take the middle of the output to the middle of the input."""
    matrices = np.tile(np.eye(3), (len(sizes), 1, 1))
    matrices[:, :2, :2] = linear
    middle_in, middle_out = sizes[:, ::-1, None] / 2, size[:, ::-1, None] / 2
    matrices[:, :2, 2:] = middle_in - linear @ middle_out
    return Warp(matrices, sizes, size)


def _linear(a: Any, b: Any, c: Any, d: Any) -> Floats:
    """The matrices [[a, b], [c, d]], float64 (N, 2, 2), of numbers or arrays (N,)."""
    entries = np.broadcast_arrays(a, b, c, d)
    return np.stack(entries, axis=-1).reshape(-1, 2, 2).astype(np.float64)


def _resize(operation: Resize, u: Floats, sizes: Sizes) -> Warp:
    target = _full(sizes, resolved(operation.size))
    if operation.mode == "fit":
        return _window(sizes, np.zeros_like(sizes), sizes, target)
    if operation.mode == "shortest":
        return _window(sizes, np.zeros_like(sizes), sizes, _covering(sizes, target))
    return _letterbox(sizes, target)


def _covering(sizes: Sizes, target: Sizes) -> Sizes:
    """The smallest size of the same aspect ratio that covers the target; the longer side is rounded down."""
    by_height = target[:, 0] * sizes[:, 1] >= target[:, 1] * sizes[:, 0]
    width = np.where(by_height, target[:, 0] * sizes[:, 1] // sizes[:, 0], target[:, 1])
    height = np.where(by_height, target[:, 0], target[:, 1] * sizes[:, 0] // sizes[:, 1])
    return np.stack([height, width], axis=1)


def _letterbox(sizes: Sizes, target: Sizes) -> Warp:
    scale = (target / sizes).min(axis=1, keepdims=True)
    inner = np.maximum(np.rint(sizes * scale), 1).astype(np.int64)
    resized = _window(sizes, np.zeros_like(sizes), sizes, inner)
    return resized.then(_central(inner, target))


def _central(sizes: Sizes, target: Sizes) -> Warp:
    return _window(sizes, central_offsets(sizes, target), target, target)


def central_offsets(sizes: Sizes, target: Sizes) -> Floats:
    """Where the middle window of a size begins (y, x), in whole pixels; below 0 if it is larger than the image."""
    spare = sizes - target
    return np.where(spare >= 0, np.rint(spare / 2), -(-spare // 2))


def _central_crop(operation: CentralCrop, u: Floats, sizes: Sizes) -> Warp:
    if operation.fraction is None:
        return _central(sizes, _full(sizes, resolved(operation.size)))
    target = np.maximum(np.rint(sizes * operation.fraction), 1).astype(np.int64)
    return _central(sizes, target)


def _random_crop(operation: RandomCrop, u: Floats, sizes: Sizes) -> Warp:
    return _anywhere(sizes, _full(sizes, resolved(operation.size)), u, operation.padding)


def _anywhere(sizes: Sizes, target: Sizes, u: Floats, padding: int) -> Warp:
    return _window(sizes, crop_offsets(sizes, target, u, padding), target, target)


def crop_offsets(sizes: Sizes, target: Sizes, u: Floats, padding: int) -> Floats:
    """Every whole offset (y, x) at which the window lies in the padded image (or the image in the window) alike."""
    spare = sizes + 2 * padding - target
    nearest: Sizes = np.minimum(spare, 0) - padding
    return nearest + _choice(u, np.abs(spare) + 1)


def _choice(u: Floats, count: npt.NDArray[Any] | int) -> Floats:
    """Whole numbers from 0 to count - 1, each as likely."""
    return np.floor(u * count)


def _resize_then_random_crop(operation: ResizeThenRandomCrop, u: Floats, sizes: Sizes) -> Warp:
    inner = _full(sizes, resolved(operation.resize))
    resized = _window(sizes, np.zeros_like(sizes), sizes, inner)
    return resized.then(_anywhere(inner, _full(sizes, resolved(operation.size)), u, 0))


def _random_resized_crop(operation: RandomResizedCrop, u: Floats, sizes: Sizes) -> Warp:
    """The first of ten drawn windows that fits into the image, else the middle one (as torchvision has it)."""
    area, log_ratio = u[:, :TRIES], u[:, TRIES : 2 * TRIES]
    area = between(area, *operation.scale) * np.prod(sizes, axis=1, keepdims=True)
    ratio = np.exp(between(log_ratio, *np.log(operation.ratio)))
    tries = np.rint(np.sqrt(np.stack([area / ratio, area * ratio], axis=-1)))
    fits = ((tries > 0) & (tries <= sizes[:, None, :])).all(axis=-1)
    drawn = tries[np.arange(len(sizes)), fits.argmax(axis=1)]
    found = fits.any(axis=1, keepdims=True)
    extent = np.where(found, drawn, _widest(sizes, *operation.ratio))
    spare = sizes - extent
    offset = np.where(found, _choice(u[:, 2 * TRIES :], np.maximum(spare, 0) + 1), spare // 2)
    return _window(sizes, offset, extent, _full(sizes, resolved(operation.size)))


def _widest(sizes: Sizes, low: float, high: float) -> np.ndarray:
    """The largest window whose width / height is within the bounds."""
    height, width = sizes[:, 0], sizes[:, 1]
    return np.stack([np.minimum(height, np.rint(width / low)), np.minimum(width, np.rint(height * high))], axis=1).clip(
        min=1
    )


def _horizontal_flip(operation: RandomHorizontalFlip, u: Floats, sizes: Sizes) -> Warp:
    return _about_middle(sizes, _linear(np.full(len(sizes), -1), 0, 0, 1), sizes)


def _vertical_flip(operation: RandomVerticalFlip, u: Floats, sizes: Sizes) -> Warp:
    return _about_middle(sizes, _linear(np.full(len(sizes), 1), 0, 0, -1), sizes)


def _rotate(operation: RandomRotate, u: Floats, sizes: Sizes) -> Warp:
    angle = np.deg2rad(between(u[:, 0], *span(operation.degrees)))
    return _about_middle(sizes, _rotation(np.cos(angle), np.sin(angle)), sizes)


def _rotate90(operation: RandomRotate90, u: Floats, sizes: Sizes) -> Warp:
    turns = np.array(operation.turns)[_choice(u[:, 0], len(operation.turns)).astype(np.int64)]
    cosine, sine = np.array([1, 0, -1, 0])[turns], np.array([0, 1, 0, -1])[turns]
    size = np.where(turns[:, None] % 2 == 1, sizes[:, ::-1], sizes)
    return _about_middle(sizes, _rotation(cosine, sine), size)


def _rotation(cosine: np.ndarray, sine: np.ndarray) -> Floats:
    """Counter-clockwise as one sees it: y points down."""
    return _linear(cosine, -sine, sine, cosine)


def _translate(operation: Translate, u: Floats, sizes: Sizes) -> Warp:
    share = np.stack([between(u[:, 0], *span(operation.y)), between(u[:, 1], *span(operation.x))], axis=1)
    return _window(sizes, -share * sizes, sizes, sizes)


def _zoom(operation: Zoom, u: Floats, sizes: Sizes) -> Warp:
    inverse = 1 / between(u[:, 0], *operation.scale)
    return _about_middle(sizes, _linear(inverse, 0, 0, inverse), sizes)


def _shear(operation: Shear, u: Floats, sizes: Sizes) -> Warp:
    """First along x, then along y: the determinant is 1 for any two angles."""
    x = np.tan(np.deg2rad(between(u[:, 0], *span(operation.x))))
    y = np.tan(np.deg2rad(between(u[:, 1], *span(operation.y))))
    return _about_middle(sizes, _linear(1 + x * y, -x, -y, np.ones_like(x)), sizes)


def _perspective(operation: RandomPerspective, u: Floats, sizes: Sizes) -> Warp:
    inwards = u.reshape(-1, 4, 2) * (operation.distortion / 2)
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
    matrices = np.linalg.inv(_square_to_quad(corners + np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * inwards))
    scale = np.concatenate([sizes[:, ::-1], np.ones((len(sizes), 1))], axis=1)
    return Warp(scale[:, :, None] * matrices / scale[:, None, :], sizes, sizes)


def _square_to_quad(quad: Floats) -> Floats:
    """Homographies from the unit square to quadrilaterals (N, 4, 2), corners in turn (Heckbert 1989, p. 19-21)."""
    first, second, third, fourth = np.moveaxis(quad, 1, 0)
    a, b, total = second - third, fourth - third, first - second + third - fourth
    area = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    g = ((total[:, 0] * b[:, 1] - total[:, 1] * b[:, 0]) / area)[:, None]
    h = ((a[:, 0] * total[:, 1] - a[:, 1] * total[:, 0]) / area)[:, None]
    matrices = np.ones((len(quad), 3, 3))
    matrices[:, :2] = np.stack([second - first + g * second, fourth - first + h * fourth, first], axis=2)
    matrices[:, 2, :2] = np.concatenate([g, h], axis=1)
    return matrices


@final
@dataclass(frozen=True)
class Geometry:
    """A geometric operation: how many uniform numbers a sample needs, and the warp that they give."""

    draws: int
    warp: Callable[[Any, Floats, Sizes], Warp]
    permutes: bool = False
    """Whether it only rearranges pixels."""


GEOMETRY: Mapping[type[Operation], Geometry] = {
    Resize: Geometry(0, _resize),
    CentralCrop: Geometry(0, _central_crop),
    RandomCrop: Geometry(2, _random_crop),
    RandomResizedCrop: Geometry(2 * TRIES + 2, _random_resized_crop),
    ResizeThenRandomCrop: Geometry(2, _resize_then_random_crop),
    RandomHorizontalFlip: Geometry(0, _horizontal_flip, permutes=True),
    RandomVerticalFlip: Geometry(0, _vertical_flip, permutes=True),
    RandomRotate: Geometry(1, _rotate),
    RandomRotate90: Geometry(1, _rotate90, permutes=True),
    Translate: Geometry(2, _translate),
    Zoom: Geometry(1, _zoom),
    Shear: Geometry(2, _shear),
    RandomPerspective: Geometry(8, _perspective),
}


def warp(operation: Operation, u: Floats, sizes: Sizes) -> Warp:
    """The warp of one operation for a batch.

    Args:
        operation: one of the keys of `GEOMETRY`.
        u: uniform numbers, float64 (N, 1 + draws); the first column decides who gets the operation.
        sizes: heights and widths of the images, int64 (N, 2).
    """
    full = GEOMETRY[type(operation)].warp(operation, u[:, 1:], sizes)
    return full.where(u[:, 0] < operation.p, _passed_over(operation, u[:, 1:], sizes))


def _passed_over(operation: Operation, u: Floats, sizes: Sizes) -> Warp:
    if isinstance(operation, RandomResizedCrop):
        return _resize(Resize(size=operation.size), u, sizes)
    if isinstance(operation, RandomCrop | ResizeThenRandomCrop):
        return GEOMETRY[type(operation)].warp(operation, np.full_like(u, 0.5), sizes)
    return identity(sizes)


def size_after(operation: Operation, size: tuple[int, int] | None) -> tuple[int, int] | None:
    """The size of every image after an operation, given that before it; None when images may differ."""
    match operation:
        case RandomCrop() | RandomResizedCrop() | ResizeThenRandomCrop():
            return resolved(operation.size)
        case Resize(mode="fit" | "letterbox") | CentralCrop(fraction=None):
            after: tuple[int, int] | None = resolved(operation.size)
        case Resize() | CentralCrop():
            after = None if size is None else _only_size(operation, size)
        case RandomRotate90() if size is not None and size[0] != size[1]:
            after = _size_after_turns(operation.turns, size)
        case _:
            after = size
    return after if operation.is_certain or after == size else None


def _only_size(operation: Operation, size: tuple[int, int]) -> tuple[int, int]:
    height, width = GEOMETRY[type(operation)].warp(operation, np.zeros((1, 0)), np.array([size])).sizes[0]
    return int(height), int(width)


def _size_after_turns(turns: tuple[int, ...], size: tuple[int, int]) -> tuple[int, int] | None:
    sizes = {size[::-1] if turn % 2 else size for turn in turns}
    return sizes.pop() if len(sizes) == 1 else None
