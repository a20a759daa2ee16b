"""Changes in HSV, the hexcone of Smith (1978): hue in turns, saturation from 0 to 1, value from 0 to 255.

They are defined for pixels from 0 to 255 only, so colours are clipped first. A grey pixel has no hue and stays grey.
On grey images the value is the grey itself, and there is nothing else.
"""

from collections.abc import Mapping

import cv2
import numpy as np

from vernier.augment.buffers import Scratch
from vernier.augment.geometry import span
from vernier.augment.pixel.operation import PixelOperation, Sample
from vernier.augment.pixel.values import drawn, floats_of, memory
from vernier.config.operations.base import Operation
from vernier.config.operations.tone import HSV, RGBToHSV, Saturation, Value

_DEGREES = 360


def turn_hue(image: np.ndarray, turns: float, scratch: Scratch, result: np.ndarray | None = None) -> np.ndarray:
    """Turn the hue.

    Args:
        image: uint8 or float32 (H, W, 3); not written to.
        turns: how far; whole turns change nothing.
        scratch: for the result too, if it has no place.
        result: float32 (H, W, 3), where the pixels go.
    """
    turned = _plus(_hsv(image, scratch), (turns, 0, 0), scratch)
    into = scratch.take("hue turned", image.shape) if result is None else result
    return cv2.cvtColor(turned, cv2.COLOR_HSV2RGB, dst=into)


def shift_hsv(image: np.ndarray, shift: tuple[float, float, float], sample: Sample) -> np.ndarray:
    """Add to hue (turns), saturation and value (shares of the full range) of an image (H, W, 3)."""
    into = memory("hsv shifted", image, sample)
    hsv = _hsv(image, sample.scratch)
    shifted = _plus(hsv, shift, sample.scratch)
    _, saturation, value = np.moveaxis(shifted, 2, 0)
    if shift[1]:
        np.clip(saturation, 0, 1, out=saturation)
        np.copyto(saturation, 0, where=hsv[..., 1] == 0)
    if shift[2]:
        np.clip(value, 0, 255, out=value)
    return cv2.cvtColor(shifted, cv2.COLOR_HSV2RGB, dst=into)


def _hsv(image: np.ndarray, scratch: Scratch) -> np.ndarray:
    floats = floats_of(image, scratch)
    return cv2.cvtColor(floats, cv2.COLOR_RGB2HSV, dst=scratch.take("hsv", image.shape))


def _plus(hsv: np.ndarray, shift: tuple[float, float, float], scratch: Scratch) -> np.ndarray:
    turns, saturation, value = shift
    matrix = np.eye(3, 4)
    # OpenCV takes degrees up to 720, but none below 0.
    matrix[:, 3] = _DEGREES * (turns % 1), saturation, 255 * value
    return cv2.transform(hsv, matrix, dst=scratch.take("hsv sum", hsv.shape))


def _shift_value(image: np.ndarray, shift: float, sample: Sample) -> np.ndarray:
    """Of a grey image."""
    into = memory("value shifted", image, sample)
    np.add(image, np.float32(255 * shift), out=into)
    return np.clip(into, 0, 255, out=into)


def _is_grey(image: np.ndarray) -> bool:
    channels: int = image.shape[2]
    return channels == 1


def _saturation(operation: Saturation, image: np.ndarray, sample: Sample) -> np.ndarray:
    if _is_grey(image):
        return image
    return shift_hsv(image, (0, drawn(sample.u[0], span(operation.delta)), 0), sample)


def _value(operation: Value, image: np.ndarray, sample: Sample) -> np.ndarray:
    shift = drawn(sample.u[0], span(operation.delta))
    return _shift_value(image, shift, sample) if _is_grey(image) else shift_hsv(image, (0, 0, shift), sample)


def _all_three(operation: HSV, image: np.ndarray, sample: Sample) -> np.ndarray:
    spans = span(operation.hue), span(operation.saturation), span(operation.value)
    hue, saturation, value = (drawn(u, limits) for u, limits in zip(sample.u, spans, strict=True))
    if _is_grey(image):
        return _shift_value(image, value, sample)
    return shift_hsv(image, (hue, saturation, value), sample)


def _planes(operation: RGBToHSV, image: np.ndarray, sample: Sample) -> np.ndarray:
    if _is_grey(image):
        return image
    into = memory("hsv planes", image, sample)
    return cv2.transform(_hsv(image, sample.scratch), np.diag((255 / _DEGREES, 255, 1)), dst=into)


HSV_SHIFTS: Mapping[type[Operation], PixelOperation] = {
    Saturation: PixelOperation(1, _saturation),
    Value: PixelOperation(1, _value),
    HSV: PixelOperation(3, _all_three),
    RGBToHSV: PixelOperation(0, _planes),
}
