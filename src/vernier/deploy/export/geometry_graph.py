"""Sizes and places of resizes and crops, computed by the graph: `augment.preprocess.axis_steps` on Shape(image)."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, overload

import numpy as np

from vernier.augment.preprocess import Geometry
from vernier.augment.resample import Kernel
from vernier.config.augment import CentralCrop, Resize
from vernier.config.operations.base import ResizeKernel
from vernier.deploy.export.graph_builder import Value

Length = int | Value
"""Pixels: known when the graph is written, or an int64 scalar of the graph."""
Lengths = tuple[Length, Length]
"""Of rows and columns."""


class Window(NamedTuple):
    """The pixels from `start` on of an axis of `before` pixels, `length` in number; those outside are 0."""

    before: Length
    start: Length
    length: Length


class Resampling(NamedTuple):
    """Windows, a resize, windows: what is one matrix product along an axis.

    Attributes:
        earlier: windows of the source, the first one first.
        source: pixels after them.
        resized: pixels after the resize.
        kernel: of the resize.
        later: windows of the result; the first one is the resize's own.
    """

    earlier: tuple[Window, ...]
    source: Length
    resized: Length
    kernel: Kernel
    later: tuple[Window, ...]

    @property
    def length(self) -> Length:
        """Pixels of the result."""
        return self.later[-1].length

    @property
    def image(self) -> Length:
        """Pixels before all."""
        return self.earlier[0].before if self.earlier else self.source


def axis_resamplings(
    geometry: Sequence[Geometry], size: Lengths, interpolation: ResizeKernel
) -> tuple[list[Resampling], list[Resampling]]:
    """What resizes and crops do to the rows and to the columns of an image of `size`."""
    rows: list[Resampling] = []
    columns: list[Resampling] = []
    for crops, operation, later in _grouped(geometry):
        earlier, size = _crop(crops, size)
        resized = size if operation is None else _resized(operation, size)
        target = size if operation is None else _target(operation, size)
        own = _windows(resized, target)
        after, end = _crop(later, target)
        for axis, index in ((rows, 0), (columns, 1)):
            axis.append(
                Resampling(
                    tuple(pair[index] for pair in earlier),
                    size[index],
                    resized[index],
                    Kernel("nearest") if operation is None else _kernel(operation, interpolation),
                    (own[index], *(pair[index] for pair in after)),
                )
            )
        size = end
    return rows, columns


def _grouped(geometry: Sequence[Geometry]) -> Iterator[tuple[list[CentralCrop], Resize | None, list[CentralCrop]]]:
    """Each resize with the crops after it, the first one with those before it too; crops alone without a resize."""
    crops: list[CentralCrop] = []
    later: list[CentralCrop] = []
    resize: Resize | None = None
    for operation in geometry:
        if isinstance(operation, CentralCrop):
            (crops if resize is None else later).append(operation)
        else:
            if resize is not None:
                yield crops, resize, later
                crops, later = [], []
            resize = operation
    yield crops, resize, later


def _crop(operations: Sequence[CentralCrop], size: Lengths) -> tuple[list[tuple[Window, Window]], Lengths]:
    """The windows of crops, one after the other, and the size after them."""
    windows = []
    for operation in operations:
        target = _target(operation, size)
        windows.append(_windows(size, target))
        size = target
    return windows, size


def _kernel(operation: Resize, interpolation: ResizeKernel) -> Kernel:
    return Kernel(operation.interpolation or interpolation, operation.antialias)


def _windows(size: Lengths, target: Lengths) -> tuple[Window, Window]:
    return _middle(size[0], target[0]), _middle(size[1], target[1])


def _middle(length: Length, window: Length) -> Window:
    """As `preprocess._middle`."""
    excess = length - window
    if isinstance(excess, int):
        return Window(length, round(excess / 2) if excess >= 0 else -(-excess // 2), window)
    half = excess.cast(np.float64) * 0.5
    start = half.unary("Round").where(excess >= 0, half.unary("Neg").unary("Floor").unary("Neg"))
    return Window(length, start.cast(np.int64), window)


def _resized(operation: Resize, size: Lengths) -> Lengths:
    """As `preprocess._resized`."""
    target = _target(operation, size)
    match operation.mode:
        case "letterbox":
            return _fitting(size, target)
        case "crop":
            return _covering(size, target)
        case _:
            return target


def _target(operation: Geometry, size: Lengths) -> Lengths:
    """As `preprocess._target`."""
    if isinstance(operation, CentralCrop) and operation.fraction is not None:
        return _scaled(size[0], operation.fraction), _scaled(size[1], operation.fraction)
    assert operation.size != "auto", "the config is resolved"
    if isinstance(operation, Resize) and operation.mode == "shortest":
        return _covering(size, operation.size)
    if isinstance(operation, Resize) and operation.mode == "longest":
        return _fitting(size, operation.size)
    return operation.size


def _covering(size: Lengths, target: Lengths) -> Lengths:
    """As `preprocess._covering`."""
    (height, width), (target_height, target_width) = size, target
    across = target_height * width
    down = target_width * height
    tall = across >= down
    return _choose(tall, target_height, down // width), _choose(tall, across // height, target_width)


def _fitting(size: Lengths, target: Lengths) -> Lengths:
    """As `preprocess._fitting`."""
    down, across = (_real(target[axis]) / _real(size[axis]) for axis in (0, 1))
    scale: float | Value
    if isinstance(down, Value):
        scale = down.minimum(across)
    elif isinstance(across, Value):
        scale = across.minimum(down)
    else:
        scale = min(down, across)
    return _scaled(size[0], scale), _scaled(size[1], scale)


def _scaled(length: Length, scale: float | Value) -> Length:
    """Rounded half to even, and at least 1."""
    product = _real(length) * scale
    if isinstance(product, Value):
        return product.unary("Round").cast(np.int64).maximum(1)
    return max(1, round(product))


@overload
def _real(length: int) -> float: ...
@overload
def _real(length: Value) -> Value: ...
def _real(length: Length) -> float | Value:
    return length.cast(np.float64) if isinstance(length, Value) else float(length)


def _choose(condition: bool | Value, first: Length, second: Length) -> Length:
    if isinstance(condition, bool):
        return first if condition else second
    return condition.builder.whole(first).where(condition, second)
