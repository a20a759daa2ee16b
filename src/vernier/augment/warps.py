"""Warps of a batch: where the pixels of each image come from.

Coordinates are continuous: an image of width W spans 0 to W, the middle of its first pixel is at 0.5. A matrix maps
homogeneous OUTPUT coordinates (x, y, 1) to INPUT coordinates, so that following operations multiply from the right.
Only a backend knows about other conventions.
"""

from dataclasses import dataclass
from typing import Any, final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Sizes = npt.NDArray[np.int64]
"""Height and width of each image, int64 (N, 2)."""


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


def span(value: float | tuple[float, float]) -> tuple[float, float]:
    """The range that a field stands for: a number b is the range from -b to b."""
    return value if isinstance(value, tuple) else (-value, value)


def between(u: Floats, low: float, high: float) -> Floats:
    """Uniform numbers in [0, 1) as uniform numbers in [low, high)."""
    return low + u * (high - low)


def choice(u: Floats, count: npt.NDArray[Any] | int) -> Floats:
    """Whole numbers from 0 to count - 1, each as likely."""
    return np.floor(u * count)


def window(sizes: Sizes, offset: np.ndarray, extent: np.ndarray, size: Sizes) -> Warp:
    """The window at `offset` (y, x) with height and width `extent`, resized to `size`; all (N, 2)."""
    matrices = np.zeros((len(sizes), 3, 3))
    scale = extent / size
    matrices[:, 0, 0], matrices[:, 1, 1], matrices[:, 2, 2] = scale[:, 1], scale[:, 0], 1.0
    matrices[:, 0, 2], matrices[:, 1, 2] = offset[:, 1], offset[:, 0]
    return Warp(matrices, sizes, size)


def whole(sizes: Sizes, size: Sizes) -> Warp:
    """The whole image, resized."""
    return window(sizes, np.zeros_like(sizes), sizes, size)


def about_middle(sizes: Sizes, linear: Floats, size: Sizes) -> Warp:
    """Linear maps of (x, y), float64 (N, 2, 2), that take the middle of the output to the middle of the input."""
    matrices = np.tile(np.eye(3), (len(sizes), 1, 1))
    matrices[:, :2, :2] = linear
    middle_in, middle_out = sizes[:, ::-1, None] / 2, size[:, ::-1, None] / 2
    matrices[:, :2, 2:] = middle_in - linear @ middle_out
    return Warp(matrices, sizes, size)


def linear(a: Any, b: Any, c: Any, d: Any) -> Floats:
    """The matrices [[a, b], [c, d]], float64 (N, 2, 2), of numbers or arrays (N,)."""
    entries = np.broadcast_arrays(a, b, c, d)
    return np.stack(entries, axis=-1).reshape(-1, 2, 2).astype(np.float64)
