"""What policies are made of: single operations at a given magnitude, on uint8 images of 1 or 3 channels.

The magnitudes mean what they mean in torchvision's AutoAugment family: a slope, pixels, degrees, a factor less 1, bits,
a threshold. Results are rounded where torchvision cuts off.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, final

import cv2
import numpy as np

from vernier.config.operations.base import Interpolation

_LUMA: Final = np.array([0.299, 0.587, 0.114])
_SMOOTH: Final = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]]) / 13
_VALUES: Final = np.arange(256)
_FLAGS: Final[Mapping[Interpolation, int]] = {
    "bilinear": cv2.INTER_LINEAR,
    "bicubic": cv2.INTER_CUBIC,
    "nearest": cv2.INTER_NEAREST,
}


@final
@dataclass(frozen=True)
class Frame:
    """How warps see what is between the pixels, and outside (a value from 0 to 255)."""

    fill: int
    interpolation: Interpolation


def change(name: str, magnitude: float, image: np.ndarray, frame: Frame) -> np.ndarray:
    """The image after the operation `name`, uint8 (H, W, C) as before."""
    if name in WARPS:
        changed = _warp(image, WARPS[name](magnitude, *image.shape[:2]), frame)
    else:
        changed = COLOURS[name](image, magnitude)
    # OpenCV drops a last axis of length 1.
    return changed.reshape(image.shape)


def _warp(image: np.ndarray, matrix: np.ndarray, frame: Frame) -> np.ndarray:
    """`matrix` (2, 3) leads from places in the result to places in the image, (x, y) from the upper left corner."""
    linear, shift = matrix[:, :2], matrix[:, 2]
    # OpenCV's places are those of pixels' middles.
    moved = shift + linear @ (0.5, 0.5) - 0.5
    height, width = image.shape[:2]
    return cv2.warpAffine(
        image,
        np.column_stack([linear, moved]),
        (width, height),
        flags=_FLAGS[frame.interpolation] | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(frame.fill,) * 4,
    )


def _rotation(degrees: float, height: int, width: int) -> np.ndarray:
    """Counter-clockwise about the middle."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    turn, middle = np.array([[cos, -sin], [sin, cos]]), np.array([width / 2, height / 2])
    return np.column_stack([turn, middle - turn @ middle])


WARPS: Final[Mapping[str, Callable[[float, int, int], np.ndarray]]] = {
    "ShearX": lambda slope, height, width: np.array([[1, slope, 0], [0, 1, 0]]),
    "ShearY": lambda slope, height, width: np.array([[1, 0, 0], [slope, 1, 0]]),
    "TranslateX": lambda pixels, height, width: np.array([[1, 0, -int(pixels)], [0, 1, 0]]),
    "TranslateY": lambda pixels, height, width: np.array([[1, 0, 0], [0, 1, -int(pixels)]]),
    "Rotate": _rotation,
}


def _identity(image: np.ndarray, magnitude: float) -> np.ndarray:
    return image


def _brightness(image: np.ndarray, magnitude: float) -> np.ndarray:
    return _looked_up(image, _VALUES * (1 + magnitude))


def _contrast(image: np.ndarray, magnitude: float) -> np.ndarray:
    mean = cv2.mean(image)[: image.shape[2]]
    grey = mean[0] if len(mean) == 1 else float(_LUMA @ mean)
    return _looked_up(image, grey + (_VALUES - grey) * (1 + magnitude))


def _colour(image: np.ndarray, magnitude: float) -> np.ndarray:
    if image.shape[2] == 1:
        return image
    factor = 1 + magnitude
    return cv2.transform(image, factor * np.eye(3) + (1 - factor) * _LUMA)


def _sharpness(image: np.ndarray, magnitude: float) -> np.ndarray:
    """Pixels at the border have too few neighbours and stay."""
    kernel = -magnitude * _SMOOTH
    kernel[1, 1] += 1 + magnitude
    changed = image.copy()
    changed[1:-1, 1:-1] = cv2.filter2D(image, -1, kernel).reshape(image.shape)[1:-1, 1:-1]
    return changed


def _posterize(image: np.ndarray, bits: float) -> np.ndarray:
    return image & np.uint8(0xFF << (8 - int(bits)) & 0xFF)


def _solarize(image: np.ndarray, threshold: float) -> np.ndarray:
    stays = _VALUES < 255 * threshold  # noqa: SIM300
    return _looked_up(image, np.where(stays, _VALUES, 255 - _VALUES))


def _autocontrast(image: np.ndarray, magnitude: float) -> np.ndarray:
    return _looked_up(image, *map(_stretching, _histograms(image)))


def _stretching(counts: np.ndarray) -> np.ndarray:
    """The table that leads from the lowest value that occurs to 0 and from the highest to 255."""
    low, high = np.flatnonzero(counts)[[0, -1]]
    return _VALUES if low == high else (_VALUES - low) * (255 / (high - low))


def _equalize(image: np.ndarray, magnitude: float) -> np.ndarray:
    return _looked_up(image, *map(_equalizing, _histograms(image)))


def _equalizing(counts: np.ndarray) -> np.ndarray:
    """Pillow's table: the highest value that occurs takes up no room."""
    step = (counts.sum() - counts[np.flatnonzero(counts)[-1]]) // 255
    if step == 0:
        return _VALUES
    table: np.ndarray = (np.cumsum(counts) - counts + step // 2) // step
    return table


def _histograms(image: np.ndarray) -> Iterator[np.ndarray]:
    """How often each value occurs in each channel, int64 (256,)."""
    for channel in range(image.shape[2]):
        yield cv2.calcHist([image], [channel], None, [256], [0, 256]).ravel().astype(np.int64)


COLOURS: Final[Mapping[str, Callable[[np.ndarray, float], np.ndarray]]] = {
    "Identity": _identity,
    "Brightness": _brightness,
    "Color": _colour,
    "Contrast": _contrast,
    "Sharpness": _sharpness,
    "Posterize": _posterize,
    "Solarize": _solarize,
    "AutoContrast": _autocontrast,
    "Equalize": _equalize,
}


def _looked_up(image: np.ndarray, *tables: np.ndarray) -> np.ndarray:
    """Each value in a table (256,) of new ones, one for each channel or for all."""
    rounded = np.rint(np.clip(tables, 0, 255)).astype(np.uint8)
    return cv2.LUT(image, np.ascontiguousarray(rounded.T)[None])
