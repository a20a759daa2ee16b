"""Each number of an image to another one, whatever stands beside it."""

from collections.abc import Mapping

import cv2
import numpy as np

from vernier.augment.pixel.operation import PixelOperation, Sample
from vernier.augment.pixel.values import bytes_of, drawn, drawn_whole, floats_of, memory, rows
from vernier.config.operations.base import Operation
from vernier.config.operations.tone import Clip, Gamma, Posterize, Solarize

_LEVELS = np.arange(256)


def posterize(image: np.ndarray, bits: int, sample: Sample) -> np.ndarray:
    """Keep the highest bits, 1 to 8, of each 8-bit number."""
    whole = bytes_of(image, sample.scratch)
    into = memory("posterized", image, sample, np.uint8)
    np.bitwise_and(whole, np.uint8(0xFF << (8 - bits) & 0xFF), out=into)
    return into


def solarize(image: np.ndarray, threshold: int, sample: Sample) -> np.ndarray:
    """8-bit numbers from a threshold on become 255 - x; above 255 there are none."""
    table = np.where(threshold <= _LEVELS, 255 - _LEVELS, _LEVELS).astype(np.uint8)
    whole, into = bytes_of(image, sample.scratch), memory("solarized", image, sample, np.uint8)
    cv2.LUT(rows(whole), table, dst=rows(into))
    return into


def correct_gamma(image: np.ndarray, gamma: float, sample: Sample) -> np.ndarray:
    """255 (x / 255)^gamma."""
    into = memory("gamma", image, sample)
    if image.dtype == np.uint8:
        cv2.LUT(rows(image), (255 * (_LEVELS / 255) ** gamma).astype(np.float32), dst=rows(into))
        return into
    np.multiply(floats_of(image, sample.scratch), np.float32(1 / 255), out=into)
    np.power(into, np.float32(gamma), out=into)
    into *= 255
    return into


def _posterize(operation: Posterize, image: np.ndarray, sample: Sample) -> np.ndarray:
    return posterize(image, drawn_whole(sample.u[0], operation.bits), sample)


def _solarize(operation: Solarize, image: np.ndarray, sample: Sample) -> np.ndarray:
    return solarize(image, drawn_whole(sample.u[0], operation.threshold), sample)


def _gamma(operation: Gamma, image: np.ndarray, sample: Sample) -> np.ndarray:
    return correct_gamma(image, drawn(sample.u[0], operation.gamma), sample)


def _clip(operation: Clip, image: np.ndarray, sample: Sample) -> np.ndarray:
    if image.dtype == np.uint8 and operation.low <= 0 and operation.high >= 255:
        return image
    into = memory("clipped", image, sample)
    return np.clip(image, np.float32(operation.low), np.float32(operation.high), out=into)


LEVELS: Mapping[type[Operation], PixelOperation] = {
    Posterize: PixelOperation(1, _posterize),
    Solarize: PixelOperation(1, _solarize),
    Gamma: PixelOperation(1, _gamma),
    Clip: PixelOperation(0, _clip),
}
