"""Each 8-bit number to another one, by how often the numbers of a channel occur."""

from collections.abc import Callable, Mapping

import cv2
import numpy as np
import numpy.typing as npt

from vernier.augment.pixel.operation import PixelOperation, Sample
from vernier.augment.pixel.values import bytes_of, memory
from vernier.config.operations.base import Operation
from vernier.config.operations.tone import AutoContrast, Equalize

Counts = npt.NDArray[np.int64]
"""How often each number from 0 to 255 occurs, (256,)."""

_LEVELS = np.arange(256)


def auto_contrast(image: np.ndarray, cutoff: float, sample: Sample) -> np.ndarray:
    """Stretch each channel so that its darkest and its brightest pixels are 0 and 255.

    Args:
        image: (H, W, C).
        cutoff: percent of the pixels, below 50, that are left out at either end.
        sample: for its scratch.
    """
    return _by_table(image, lambda counts: _stretched(counts, cutoff), sample)


def equalize(image: np.ndarray, sample: Sample) -> np.ndarray:
    """Give each channel a histogram that is as flat as whole numbers allow, as Pillow does."""
    return _by_table(image, _equalized, sample)


def _by_table(image: np.ndarray, table: Callable[[Counts], np.ndarray], sample: Sample) -> np.ndarray:
    whole = bytes_of(image, sample.scratch)
    counts = (cv2.calcHist([whole], [channel], None, [256], [0, 256]).reshape(-1) for channel in range(image.shape[2]))
    tables = np.stack([table(each.astype(np.int64)) for each in counts], axis=1).astype(np.uint8)
    into = memory("by histogram", image, sample, np.uint8)
    cv2.LUT(whole, tables[None], dst=into)
    return into


def _stretched(counts: Counts, cutoff: float) -> np.ndarray:
    below = counts.cumsum()
    left_out = int(below[-1] * cutoff / 100)
    low = np.searchsorted(below, left_out, side="right")
    high = np.searchsorted(below, below[-1] - left_out)
    return np.rint(((_LEVELS - low) * (255 / (high - low))).clip(0, 255)) if low < high else _LEVELS


def _equalized(counts: Counts) -> np.ndarray:
    brightest = counts[np.flatnonzero(counts)[-1]]
    step = (counts.sum() - brightest) // 255
    if step == 0:
        return _LEVELS
    below = counts.cumsum() - counts
    table: np.ndarray = ((below + step // 2) // step).clip(0, 255)
    return table


HISTOGRAM: Mapping[type[Operation], PixelOperation] = {
    AutoContrast: PixelOperation(0, lambda operation, image, sample: auto_contrast(image, operation.cutoff, sample)),
    Equalize: PixelOperation(0, lambda operation, image, sample: equalize(image, sample)),
}
