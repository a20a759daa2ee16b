"""Each pixel from those around it, in all channels alike."""

from collections.abc import Mapping
from math import ceil
from typing import Final

import cv2
import numpy as np

from vernier.augment.pixel.operation import PixelOperation, Sample
from vernier.augment.pixel.values import drawn, drawn_whole, floats_of, memory
from vernier.config.operations.base import Operation
from vernier.config.operations.tone import Blur, GaussianBlur, Sharpness

_SMOOTHING: Final = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]]) / 13
_UNCHANGED: Final = np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]])
_BORDER: Final = {
    "reflect": cv2.BORDER_REFLECT,
    "replicate": cv2.BORDER_REPLICATE,
    "constant": cv2.BORDER_CONSTANT,
}


def sharpen(image: np.ndarray, factor: float, sample: Sample) -> np.ndarray:
    """x + factor (x - smoothed x), clipped; below 0 smooths, and -1 smooths fully. The outermost pixels stay."""
    floats, sharp = floats_of(image, sample.scratch), memory("sharpened", image, sample)
    cv2.filter2D(floats, cv2.CV_32F, _UNCHANGED + factor * (_UNCHANGED - _SMOOTHING), dst=sharp)
    for edge in (0, -1):
        sharp[edge], sharp[:, edge] = floats[edge], floats[:, edge]
    return np.clip(sharp, 0, 255, out=sharp)


def _sharpness(operation: Sharpness, image: np.ndarray, sample: Sample) -> np.ndarray:
    factor = operation.factor if isinstance(operation.factor, tuple) else (0.0, operation.factor)
    return sharpen(image, drawn(sample.u[0], factor), sample)


def _blur(operation: Blur, image: np.ndarray, sample: Sample) -> np.ndarray:
    size = drawn_whole(sample.u[0], operation.size)
    if size == 1:
        return image
    into, before = memory("blurred", image, sample), (size - 1) // 2
    border = _BORDER[operation.border]
    # In 8 bits OpenCV rounds up from a quarter where the side is even.
    cv2.boxFilter(image, cv2.CV_32F, (size, size), dst=into, anchor=(before, before), borderType=border)
    return into


def _gaussian_blur(operation: GaussianBlur, image: np.ndarray, sample: Sample) -> np.ndarray:
    sigma = drawn(sample.u[0], operation.sigma)
    if sigma == 0:
        return image
    into, size = memory("blurred by a Gaussian", image, sample), 2 * ceil(3 * sigma) + 1
    floats = sample.scratch.take("unblurred", image.shape)
    np.copyto(floats, image)
    cv2.GaussianBlur(floats, (size, size), sigma, dst=into, borderType=cv2.BORDER_REFLECT)
    return into


FILTERS: Mapping[type[Operation], PixelOperation] = {
    Sharpness: PixelOperation(1, _sharpness, spatial=True),
    Blur: PixelOperation(1, _blur, spatial=True),
    GaussianBlur: PixelOperation(1, _gaussian_blur, spatial=True),
}
