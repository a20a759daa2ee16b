"""Numbers as an operation draws them, and pixels in the type that it needs, in memory that is used again."""

from typing import Any

import cv2
import numpy as np

from vernier.augment.buffers import Scratch
from vernier.augment.pixel.operation import Sample


def drawn(u: float, value: float | tuple[float, float]) -> float:
    """A number of a range, or the number itself, by a uniform number in [0, 1)."""
    low, high = value if isinstance(value, tuple) else (value, value)
    return low + u * (high - low)


def drawn_whole(u: float, value: int | tuple[int, int]) -> int:
    """A whole number of a range, both ends included, or the number itself."""
    low, high = value if isinstance(value, tuple) else (value, value)
    return low + int(u * (high - low + 1))


def memory(name: str, image: np.ndarray, sample: Sample, dtype: Any = np.float32) -> np.ndarray:
    """Uninitialised memory of an image's shape, not the image's own: an operation may run twice in a row."""
    taken = sample.scratch.take(name, image.shape, dtype)
    if np.may_share_memory(taken, image):
        return sample.scratch.take(f"{name} again", image.shape, dtype)
    return taken


def floats_of(image: np.ndarray, scratch: Scratch) -> np.ndarray:
    """The image in float32, clipped to 0 to 255."""
    floats = scratch.take("floats", image.shape)
    if image.dtype == np.uint8:
        np.copyto(floats, image)
        return floats
    return np.clip(image, 0, 255, out=floats)


def bytes_of(image: np.ndarray, scratch: Scratch) -> np.ndarray:
    """The image in 8 bits: clipped to 0 to 255 and rounded, if it is not uint8 already."""
    if image.dtype == np.uint8:
        return image
    into = scratch.take("bytes", image.shape, np.uint8)
    cv2.convertScaleAbs(rows(floats_of(image, scratch)), dst=rows(into))
    return into


def rows(image: np.ndarray) -> np.ndarray:
    """An image (H, W, C) as (H, W * C), for what is done to each number by itself."""
    return image.reshape(image.shape[0], -1)
