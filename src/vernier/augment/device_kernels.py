"""Interpolation and smoothing as one row of taps for each axis.

The weight of a tap is a polynomial in the fraction by which a position lies beyond a pixel. A box that smooths first
is a convolution of these rows, so that a smoothed source never has to be written: the taps are read where the warp
needs them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, final

import numpy as np
import numpy.typing as npt

from vernier.augment.geometry import Floats

_SHARPNESS: Final = -0.75
"""Of the bicubic kernel, as OpenCV and PyTorch have it (Keys 1981 has -0.5)."""


@final
@dataclass(frozen=True)
class Kernel:
    """An interpolation along one axis.

    Attributes:
        polynomials: row k has the coefficients of the weight of tap k, from the constant on,
            float64 (taps, degree + 1).
        first: the first tap, in pixels from the pixel at or before the position.
        centre: where a pixel's position is within it.
        overhang: how far beyond the outermost pixels' positions the result still changes, in pixels.
    """

    polynomials: Floats
    first: int
    centre: float
    overhang: float


KERNELS: Mapping[str, Kernel] = {
    "nearest": Kernel(np.array([[1.0]]), 0, 0.0, 0.0),
    "bilinear": Kernel(np.array([[1.0, -1.0], [0.0, 1.0]]), 0, 0.5, 0.0),
    "bicubic": Kernel(
        np.array(
            [
                [0, _SHARPNESS, -2 * _SHARPNESS, _SHARPNESS],
                [1, 0, -(_SHARPNESS + 3), _SHARPNESS + 2],
                [0, -_SHARPNESS, 2 * _SHARPNESS + 3, -(_SHARPNESS + 2)],
                [0, 0, _SHARPNESS, -_SHARPNESS],
            ]
        ),
        -1,
        0.5,
        1.0,
    ),
}


def box_radius(variances: Floats) -> npt.NDArray[np.int64]:
    """Taps on either side of the discrete box of each variance; see `sampling.box_taps`."""
    return np.ceil((np.sqrt(1 + 12 * variances) - 1) / 2).astype(np.int64)


def boxes(variances: Floats, radius: int) -> Floats:
    """The taps of `sampling.box_taps` for many variances (N,), zeros around them: float64 (N, 2 radius + 1)."""
    own = box_radius(variances)[:, None]
    width = own * (4 * own**2 - 1) / np.where(own == 0, 1, 3 * (own**2 - variances[:, None]))
    width = np.where(own == 0, 1.0, width)
    distance = np.abs(np.arange(-radius, radius + 1))
    end = np.where(own == 0, 1.0, (1 - (2 * own - 1) / width) / 2)
    return np.where(distance < own, 1 / width, np.where(distance == own, end, 0.0))


def smoothed(kernel: Kernel, variances: Floats, radius: int) -> Floats:
    """Coefficients of the kernel after boxes of these variances (N,): float64 (N, taps + 2 radius, degree + 1)."""
    taps = boxes(variances, radius)
    count, degrees = kernel.polynomials.shape
    result = np.zeros((len(taps), count + 2 * radius, degrees))
    for place in range(2 * radius + 1):
        result[:, place : place + count] += taps[:, place, None, None] * kernel.polynomials
    return result
