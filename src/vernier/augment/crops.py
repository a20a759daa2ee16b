"""Operations that resize, cut out or add around: what their draws mean for the coordinates. See `warps`."""

from typing import Final

import numpy as np

from vernier.augment.warps import Floats, Sizes, Warp, between, choice, whole, window
from vernier.config.augment import (
    CentralCrop,
    CentralCropThenResize,
    Pad,
    RandomCrop,
    RandomResize,
    RandomResizedCrop,
    RandomWindow,
    Resize,
    ResizeThenRandomCrop,
)
from vernier.config.types import Auto

Size = tuple[int, int]
TRIES: Final = 10
"""Windows that RandomResizedCrop tries before it takes the middle of the image."""


def resolved(size: Size | Auto) -> Size:
    """Height and width of an operation whose `auto` has been replaced."""
    assert size != "auto", "operations are resolved before they are compiled"
    return size


def full(sizes: Sizes, size: Size) -> Sizes:
    """A size for every image of a batch."""
    return np.broadcast_to(np.array(size, np.int64), sizes.shape)


def resize(operation: Resize, u: Floats, sizes: Sizes) -> Warp:
    """The image, or the middle of it, or it in the middle of the border."""
    target = full(sizes, resolved(operation.size))
    match operation.mode:
        case "crop":
            return _middle_of(sizes, _covering(sizes, target), target)
        case "letterbox":
            return _middle_of(sizes, _fitting(sizes, target), target)
        case mode:
            return whole(sizes, _in_mode(mode, sizes, target))


def random_resize(operation: RandomResize, u: Floats, sizes: Sizes) -> Warp:
    """The whole image at a size of its own."""
    factor = between(u, *operation.scale)
    target = _rounded(full(sizes, resolved(operation.size)) * factor)
    return whole(sizes, _in_mode(operation.mode, sizes, target))


def _in_mode(mode: str, sizes: Sizes, target: Sizes) -> Sizes:
    if mode == "fit":
        return target
    return _covering(sizes, target) if mode == "shortest" else _fitting(sizes, target)


def _rounded(sizes: np.ndarray) -> Sizes:
    rounded: Sizes = np.maximum(np.rint(sizes), 1).astype(np.int64)
    return rounded


def _covering(sizes: Sizes, target: Sizes) -> Sizes:
    """The smallest size of the same aspect ratio that covers the target; the longer side is rounded down."""
    by_height = target[:, 0] * sizes[:, 1] >= target[:, 1] * sizes[:, 0]
    width = np.where(by_height, target[:, 0] * sizes[:, 1] // sizes[:, 0], target[:, 1])
    height = np.where(by_height, target[:, 0], target[:, 1] * sizes[:, 0] // sizes[:, 1])
    return np.stack([height, width], axis=1)


def _fitting(sizes: Sizes, target: Sizes) -> Sizes:
    """The largest size of the same aspect ratio within the target; the shorter side is rounded."""
    return _rounded(sizes * (target / sizes).min(axis=1, keepdims=True))


def _middle_of(sizes: Sizes, inner: Sizes, target: Sizes) -> Warp:
    """Resized to `inner`, and the middle of that, or that in the middle."""
    return whole(sizes, inner).then(_central(inner, target))


def _central(sizes: Sizes, target: Sizes) -> Warp:
    return window(sizes, central_offsets(sizes, target), target, target)


def central_offsets(sizes: Sizes, target: Sizes) -> Floats:
    """Where the middle window of a size begins (y, x), in whole pixels; below 0 if it is larger than the image."""
    spare = sizes - target
    return np.where(spare >= 0, np.rint(spare / 2), -(-spare // 2))


def paddings(operation: Pad) -> tuple[int, int, int, int]:
    """Top, bottom, left, right."""
    match operation.padding:
        case (y, x):
            return y, y, x, x
        case (top, bottom, left, right):
            return top, bottom, left, right
        case int(side):
            return side, side, side, side


def pad(operation: Pad, u: Floats, sizes: Sizes) -> Warp:
    """The image and what is around it."""
    top, bottom, left, right = paddings(operation)
    target = sizes + np.array([top + bottom, left + right])
    return window(sizes, full(sizes, (-top, -left)), target, target)


def central_crop(operation: CentralCrop, u: Floats, sizes: Sizes) -> Warp:
    """The middle window, or the image in the middle of it."""
    if operation.fraction is None:
        return _central(sizes, full(sizes, resolved(operation.size)))
    return _central(sizes, _rounded(sizes * operation.fraction))


def central_crop_then_resize(operation: CentralCropThenResize, u: Floats, sizes: Sizes) -> Warp:
    """Half a pixel to spare goes above and to the left."""
    target = full(sizes, resolved(operation.size))
    extent = _rounded(operation.fraction * (sizes / target).min(axis=1, keepdims=True) * target)
    return window(sizes, (sizes - extent + 1) // 2, extent, target)


def random_crop(operation: RandomCrop, u: Floats, sizes: Sizes) -> Warp:
    """A window of the padded image."""
    return _anywhere(sizes, full(sizes, resolved(operation.size)), u, operation.padding)


def _anywhere(sizes: Sizes, target: Sizes, u: Floats, padding: int) -> Warp:
    return window(sizes, crop_offsets(sizes, target, u, padding), target, target)


def crop_offsets(sizes: Sizes, target: Sizes, u: Floats, padding: int) -> Floats:
    """Every whole offset (y, x) at which the window lies in the padded image (or the image in the window) alike."""
    spare = sizes + 2 * padding - target
    nearest: Sizes = np.minimum(spare, 0) - padding
    return nearest + choice(u, np.abs(spare) + 1)


def resize_then_random_crop(operation: ResizeThenRandomCrop, u: Floats, sizes: Sizes) -> Warp:
    """A window of the resized image."""
    inner = full(sizes, resolved(operation.resize))
    return whole(sizes, inner).then(_anywhere(inner, full(sizes, resolved(operation.size)), u, 0))


def random_resized_crop(operation: RandomResizedCrop, u: Floats, sizes: Sizes) -> Warp:
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
    offset = np.where(found, choice(u[:, 2 * TRIES :], np.maximum(spare, 0) + 1), spare // 2)
    return window(sizes, offset, extent, full(sizes, resolved(operation.size)))


def _widest(sizes: Sizes, low: float, high: float) -> np.ndarray:
    """The largest window whose width / height is within the bounds."""
    height, width = sizes[:, 0], sizes[:, 1]
    return np.stack([np.minimum(height, np.rint(width / low)), np.minimum(width, np.rint(height * high))], axis=1).clip(
        min=1
    )


def random_window(operation: RandomWindow, u: Floats, sizes: Sizes) -> Warp:
    """A window, cut off at the edges and resized to the whole."""
    ranges = (operation.centre_y, operation.centre_x, operation.height, operation.width)
    shares = np.stack([between(u[:, column], *each) for column, each in enumerate(ranges)], axis=1)
    centre, half = shares[:, :2], shares[:, 2:] / 2
    start, stop = np.maximum(centre - half, 0.0) * sizes, np.minimum(centre + half, 1.0) * sizes
    return window(sizes, start, stop - start, sizes)
