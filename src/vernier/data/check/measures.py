"""What is measured on one image: its look as a few numbers, a hash and a tiny picture.

All of it comes from one version of at most 128 x 128 pixels' area, so a photo costs little more than its decoding,
and images of different sizes can be compared.
"""

from typing import Final, NamedTuple, final

import cv2
import numpy as np

WORK_AREA: Final = 128 * 128
"""Larger images are shrunk to this many pixels: about what a network sees, and enough to see blur."""
TINY_SIDE: Final = 16
"""Side of the tiny picture that two images with near hashes are compared by."""

_HASH_SIDE, _FREQUENCIES = 32, 8
_DARK_PERCENTILE, _BRIGHT_PERCENTILE = 95, 5


@final
class Measures(NamedTuple):
    """Numbers of one image, on the scale of 0 to 255.

    Attributes:
        hash: 64 bits that are nearly the same after encoding anew and resizing.
        tiny: uint8 (256,), the grey image at 16 x 16.
        dark_end: 5 % of the pixels are darker than this.
        bright_end: 95 % of the pixels are darker than this.
        spread: Standard deviation of grey or of the channel that varies most, whichever is larger.
        chroma: Mean difference between an average pixel's strongest and weakest channel; 0 for grey.
        sharpness: Variance of the Laplacian (Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy",
            2000).
    """

    hash: int
    tiny: np.ndarray
    dark_end: int
    bright_end: int
    spread: float
    chroma: float
    sharpness: float


def measure(pixels: np.ndarray) -> Measures:
    """Measure an upright image, uint8 (H, W, C); with three channels and more the first three are its colours."""
    work = _shrink(pixels)
    grey = _grey(work)
    small = cv2.resize(grey, (_HASH_SIDE, _HASH_SIDE), interpolation=cv2.INTER_AREA)
    deviation = float(cv2.meanStdDev(grey)[1][0, 0])
    colour_deviation, chroma = _colour(work)
    dark_end, bright_end = _ends(grey)
    return Measures(
        hash=perceptual_hash(small),
        tiny=cv2.resize(small, (TINY_SIDE, TINY_SIDE), interpolation=cv2.INTER_AREA).ravel(),
        dark_end=dark_end,
        bright_end=bright_end,
        spread=max(deviation, colour_deviation),
        chroma=chroma,
        sharpness=float(cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S))[1][0, 0]) ** 2,
    )


def perceptual_hash(grey: np.ndarray) -> int:
    """64 bits of a grey image, uint8 (32, 32): which of its 8 x 8 lowest frequencies lie above their median.

    The way of Zauner, "Implementation and benchmarking of perceptual image hash functions", 2010: a cosine transform
    (type II) of 32 x 32 pixels. Encoding anew and resizing move values near the median only.
    """
    low = cv2.dct(grey.astype(np.float32))[:_FREQUENCIES, :_FREQUENCIES].ravel()
    median = np.partition(low[1:], 31)[31]
    return int(np.packbits(low > median).view(np.uint64)[0])


def _shrink(pixels: np.ndarray) -> np.ndarray:
    height, width, channels = pixels.shape
    if channels > 3:
        pixels = np.ascontiguousarray(pixels[:, :, :3])
    if height * width <= WORK_AREA:
        return pixels
    factor = (WORK_AREA / (height * width)) ** 0.5
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)).reshape(size[1], size[0], -1)


def _grey(pixels: np.ndarray) -> np.ndarray:
    if pixels.shape[2] == 3:
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY))
    return np.ascontiguousarray(pixels[:, :, 0])


def _colour(pixels: np.ndarray) -> tuple[float, float]:
    """The largest standard deviation of a channel, and the chroma."""
    if pixels.shape[2] < 3:
        return 0.0, 0.0
    small = cv2.resize(pixels, (_HASH_SIDE, _HASH_SIDE), interpolation=cv2.INTER_AREA)
    deviation = float(cv2.meanStdDev(small)[1].max())
    red, green, blue = cv2.split(small)
    strongest, weakest = cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue)
    return deviation, float(cv2.mean(cv2.subtract(strongest, weakest))[0])


def _ends(grey: np.ndarray) -> tuple[int, int]:
    shares = np.cumsum(np.bincount(grey.ravel(), minlength=256)) * (100 / grey.size)
    dark, bright = np.searchsorted(shares, (_BRIGHT_PERCENTILE, _DARK_PERCENTILE))
    return int(dark), int(bright)
