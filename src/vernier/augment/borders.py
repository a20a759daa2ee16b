"""What lies outside an image, for the operations that may show it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, final

import numpy as np

from vernier.augment.crops import Size, paddings, resolved
from vernier.augment.randomness import Chance
from vernier.augment.warps import Floats, Sizes, Warp
from vernier.config.augment import (
    CentralCrop,
    Operation,
    Pad,
    RandomCrop,
    RandomPerspective,
    RandomRotate,
    Resize,
    ResizeThenRandomCrop,
    Shear,
    Translate,
    Zoom,
)
from vernier.config.operations.geometry import Bordered

_NUMPY_MODES: Final[Mapping[str, str]] = {"reflect": "symmetric", "replicate": "edge", "wrap": "wrap"}


@final
@dataclass(frozen=True)
class Border:
    """What lies outside an image.

    Attributes:
        kind: "constant", "reflect" (edge pixels repeat), "replicate" or "wrap".
        fills: values of a constant border, from 0 to 255, whatever colour stages before made of the pixels; of
            several, each image draws one. (0,) for other kinds.
    """

    kind: str
    fills: tuple[int, ...]

    @staticmethod
    def of(kind: str, fill: int | tuple[int, ...]) -> "Border":
        """The border that fields of the config stand for."""
        if kind != "constant":
            return Border("replicate" if kind == "edge" else kind, (0,))
        return Border(kind, fill if isinstance(fill, tuple) else (fill,))

    def draw(self, chance: Chance) -> Floats:
        """The value of each image's border, float64 (N,): the same wherever the same values are listed."""
        if len(self.fills) == 1:
            return np.full(len(chance.indices), float(self.fills[0]))
        u = chance.uniform(f"fill {self.fills}", 1)[:, 0]
        return np.array(self.fills, np.float64)[np.floor(u * len(self.fills)).astype(np.int64)]


NOTHING_OUTSIDE: Final = Border("replicate", (0,))
"""For warps that show no border: what interpolation finds beyond the middles of the outermost pixels."""


@final
@dataclass(frozen=True)
class WarpDraw:
    """The warps of a batch, what lies outside its images, and the value of a constant border, float64 (N,)."""

    warp: Warp
    border: str
    fills: Floats

    @property
    def sizes(self) -> Sizes:
        """Heights and widths afterwards, int64 (N, 2)."""
        return self.warp.sizes


def border_of(operation: Operation, usual: Border) -> Border:
    """The border that an operation shows: its own, or the usual one."""
    if not isinstance(operation, Bordered):
        return usual
    return Border.of(operation.border or usual.kind, usual.fills if operation.fill is None else operation.fill)


def shows_outside(operation: Operation, least: Size) -> bool:
    """Whether a geometric operation may show what is outside images of at least this height and width."""
    match operation:
        case RandomRotate() | Translate() | Shear() | RandomPerspective():
            return True
        case Zoom():
            return min(*operation.scale, *(operation.scale_y or ())) < 1
        case Resize():
            return operation.mode == "letterbox"
        case Pad():
            return any(paddings(operation))
        case RandomCrop():
            return operation.padding > 0 or _is_larger(resolved(operation.size), least)
        case CentralCrop(fraction=None):
            return _is_larger(resolved(operation.size), least)
        case ResizeThenRandomCrop():
            return _is_larger(resolved(operation.size), resolved(operation.resize))
        case _:
            return False


def _is_larger(size: Size, other: Size) -> bool:
    return size[0] > other[0] or size[1] > other[1]


def padded(array: np.ndarray, widths: tuple[tuple[int, int], ...], border: Border) -> np.ndarray:
    """Images with their border around them, as many pixels on either side of each axis as `widths` says."""
    if border.kind == "constant":
        return np.pad(array, widths, constant_values=border.fills[0])
    return np.pad(array, widths, _NUMPY_MODES[border.kind])  # type: ignore[call-overload, no-any-return]
