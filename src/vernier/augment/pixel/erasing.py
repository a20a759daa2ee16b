"""What `config.operations.erasing` names: parts of an image that are covered."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final, NamedTuple

import numpy as np

from vernier.augment.pixel.operation import PixelOperation, Sample
from vernier.config.operations.base import Operation
from vernier.config.operations.erasing import Cutout, Filling, GridErasing, RandomErasing, RectangleErasing

_LUMA: Final = (0.299, 0.587, 0.114)
_ATTEMPTS: Final = 10
"""Rectangles that are tried before an image stays as it is, as in torchvision."""
_COARSE: Final = 16
"""Colour photographs show that they are none of grey at every 16th pixel already."""


class Box(NamedTuple):
    """Rows from `top` and columns from `left` on, without `bottom` and `right`."""

    top: int
    left: int
    bottom: int
    right: int


Fill = Callable[[int, int], np.ndarray]
"""From the height and width of a box to what covers it: values that broadcast to (height, width, C)."""


def _cover(image: np.ndarray, boxes: Sequence[Box], fill: Fill, sample: Sample) -> np.ndarray:
    """The image with boxes covered one after the other; itself where there are none."""
    if not boxes:
        return image
    covered = sample.scratch.take("covered", image.shape, image.dtype)
    np.copyto(covered, image)
    for top, left, bottom, right in boxes:
        covered[top:bottom, left:right] = fill(bottom - top, right - left)
    return covered


def _filling(method: Filling, color: tuple[int, ...] | None, image: np.ndarray, chance: np.random.Generator) -> Fill:
    channels = 1 if _is_grey(image) else image.shape[2]
    match method:
        case "uniform":
            return _flat((0,) if color is None else color, channels)
        case "random":
            return lambda height, width: _bytes(chance, (channels,))
        case "mosaic":
            return lambda height, width: _bytes(chance, (height, width, channels))


def _flat(color: tuple[int, ...], channels: int) -> Fill:
    values = np.array(color)
    if channels == 1 and len(color) == len(_LUMA):
        values = np.rint(values @ _LUMA)
    return lambda height, width: values


def _bytes(chance: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return np.frombuffer(chance.bytes(math.prod(shape)), np.uint8).reshape(shape)


def _is_grey(image: np.ndarray) -> bool:
    """Whether red, green and blue are the same everywhere."""
    coarse = image[::_COARSE, ::_COARSE]
    return image.shape[2] == 3 and all(bool((part == part[..., :1]).all()) for part in (coarse, image))


def _rectangles(operation: RectangleErasing, image: np.ndarray, sample: Sample) -> np.ndarray:
    low, high = operation.count if isinstance(operation.count, tuple) else (operation.count, operation.count)
    count, chance = low + int(sample.u[0] * (high - low + 1)), sample.generator()
    drawn = (_rectangle(operation, image, u) for u in chance.random((count, 4)).tolist())
    boxes = [box for box in drawn if box.top < box.bottom and box.left < box.right]
    return _cover(image, boxes, _filling(operation.method, operation.color, image, chance), sample)


def _rectangle(operation: RectangleErasing, image: np.ndarray, u: Sequence[float]) -> Box:
    """A rectangle of w = sqrt(ratio * area) and h = w / ratio pixels about any point, cut at the border."""
    height, width = image.shape[:2]
    area, ratio = _between(u[0], operation.area), _between(u[1], operation.ratio)
    across = math.sqrt(ratio * area * height * width)
    top, bottom = _span(u[2] * height, across / ratio, height)
    left, right = _span(u[3] * width, across, width)
    return Box(top, left, bottom, right)


def _between(u: float, limits: tuple[float, float]) -> float:
    low, high = limits
    return low + u * (high - low)


def _span(middle: float, length: float, side: int) -> tuple[int, int]:
    start = round(middle - length / 2)
    return max(start, 0), min(start + round(length), side)


def _grid(operation: GridErasing, image: np.ndarray, sample: Sample) -> np.ndarray:
    chance = sample.generator()
    covered = np.argwhere(chance.random((operation.cells_y, operation.cells_x)) < operation.cell_probability).tolist()
    ys, xs = _edges(image.shape[0], operation.cells_y), _edges(image.shape[1], operation.cells_x)
    boxes = [Box(ys[row], xs[column], ys[row + 1], xs[column + 1]) for row, column in covered]
    return _cover(image, boxes, _filling(operation.method, operation.color, image, chance), sample)


def _edges(side: int, cells: int) -> list[int]:
    cell = math.ceil(side / cells)
    return [min(number * cell, side) for number in range(cells + 1)]


def _one_inside(operation: RandomErasing, image: np.ndarray, sample: Sample) -> np.ndarray:
    chance, value = sample.generator(), operation.value
    boxes = _boxes_inside(operation, image, chance.random((_ATTEMPTS, 4)).tolist())
    if value == "random":
        fill = _filling("mosaic", None, image, chance)
    else:
        fill = _filling("uniform", value if isinstance(value, tuple) else (value,), image, chance)
    return _cover(image, list(islice(boxes, 1)), fill, sample)


def _boxes_inside(operation: RandomErasing, image: np.ndarray, rows: Sequence[Sequence[float]]) -> Iterator[Box]:
    """Of the rectangles that numbers u stand for those that are smaller than the image either way."""
    height, width = image.shape[:2]
    (smallest, largest), (flattest, tallest) = operation.scale, map(math.log, operation.ratio)
    for u in rows:
        area = (smallest + u[0] * (largest - smallest)) * height * width
        ratio = math.exp(flattest + u[1] * (tallest - flattest))
        down, across = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if down < height and across < width:
            top, left = int(u[2] * (height - down + 1)), int(u[3] * (width - across + 1))
            yield Box(top, left, top + down, left + across)


def _cutout(operation: Cutout, image: np.ndarray, sample: Sample) -> np.ndarray:
    height, width = image.shape[:2]
    top, left = (int(u * side) - operation.length // 2 for u, side in zip(sample.u, (height, width), strict=True))
    box = Box(max(top, 0), max(left, 0), min(top + operation.length, height), min(left + operation.length, width))
    return _cover(image, [box], _flat((operation.fill,), image.shape[2]), sample)


ERASING: Mapping[type[Operation], PixelOperation] = {
    RectangleErasing: PixelOperation(1, _rectangles, spatial=True),
    GridErasing: PixelOperation(0, _grid, spatial=True),
    RandomErasing: PixelOperation(0, _one_inside, spatial=True),
    Cutout: PixelOperation(2, _cutout, spatial=True),
}
