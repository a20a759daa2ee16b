"""What `config.operations.erasing` names: parts of an image that are covered."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from typing import Any, Final, NamedTuple

import numpy as np

from vernier.augment.pixel.operation import PixelOperation, Sample
from vernier.config.operations.base import Operation
from vernier.config.operations.erasing import Cutout, Filling, GridErasing, RandomErasing, RectangleErasing

_LUMA: Final = (0.299, 0.587, 0.114)
_ATTEMPTS: Final = 10
"""Rectangles that are tried before an image stays as it is, as in torchvision."""
_TEXTURE: Final = (512, 512, 3)
_A_RECTANGLE: Final = 6
"""Numbers that are drawn for one: its area, ratio, middle, and place in the texture."""
_COARSE: Final = 16
"""Colour photographs show that they are none of grey at every 16th pixel already."""


class Box(NamedTuple):
    """Rows from `top` and columns from `left` on, without `bottom` and `right`."""

    top: int
    left: int
    bottom: int
    right: int


Fill = Callable[[int, int, int], np.ndarray]
"""From the number, the height and the width of a box to what covers it: values that broadcast to (height, width, C)."""


def _cover(image: np.ndarray, boxes: Sequence[Box], fill: Fill, sample: Sample) -> np.ndarray:
    """The image with boxes covered one after the other; itself where there are none."""
    if not boxes:
        return image
    covered = sample.scratch.take("covered", image.shape, image.dtype)
    np.copyto(covered, image)
    for number, (top, left, bottom, right) in enumerate(boxes):
        covered[top:bottom, left:right] = fill(number, bottom - top, right - left)
    return covered


def _filling(
    method: Filling, color: tuple[int, ...] | None, image: np.ndarray, sample: Sample, places: np.ndarray
) -> Fill:
    """What covers boxes; `places`, float64 (n, 2) in [0, 1), says where in the texture random pixels come from."""
    channels = 1 if _is_grey(image) else image.shape[2]
    if method == "uniform":
        return _flat((0,) if color is None else color, channels)
    if channels > _TEXTURE[2]:
        return _many_channels(method, channels, sample)
    return _random(places, channels) if method == "random" else _mosaic(places, channels, image.dtype, sample)


def _flat(color: tuple[int, ...], channels: int) -> Fill:
    values = np.array(color)
    if channels == 1 and len(color) == len(_LUMA):
        values = np.rint(values @ _LUMA)
    return lambda number, height, width: values


def _random(places: np.ndarray, channels: int) -> Fill:
    """One random colour a box."""
    pixels = _texture(np.dtype(np.uint8))
    ys, xs = (places * _TEXTURE[0]).astype(int).T
    colours = pixels[ys, xs, :channels]
    return lambda number, height, width: colours[number]


def _mosaic(places: np.ndarray, channels: int, dtype: np.dtype[Any], sample: Sample) -> Fill:
    """Random pixels: a window of a fixed texture at a place that is drawn, which costs no more than a copy."""
    starts, side, pixels = places.tolist(), _TEXTURE[0], _texture(dtype)

    def fill(number: int, height: int, width: int) -> np.ndarray:
        if max(height, width) > side // 2:
            return _bytes(sample.generator(), (height, width, channels))
        y, x = starts[number]
        top, left = int(y * (side - height)), int(x * (side - width))
        return pixels[top : top + height, left : left + width, :channels]

    return fill


def _many_channels(method: Filling, channels: int, sample: Sample) -> Fill:
    """Random colours or pixels of more channels than the texture has."""
    chance = sample.generator()
    if method == "random":
        return lambda number, height, width: _bytes(chance, (channels,))
    return lambda number, height, width: _bytes(chance, (height, width, channels))


@cache
def _texture(dtype: np.dtype[Any]) -> np.ndarray:
    pixels = np.random.Generator(np.random.Philox(key=0)).integers(0, 256, _TEXTURE, np.uint8)
    return pixels.astype(dtype)


def _bytes(chance: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return np.frombuffer(chance.bytes(math.prod(shape)), np.uint8).reshape(shape)


def _is_grey(image: np.ndarray) -> bool:
    """Whether red, green and blue are the same everywhere."""
    coarse = image[::_COARSE, ::_COARSE]
    return image.shape[2] == 3 and all(bool((part == part[..., :1]).all()) for part in (coarse, image))


def _most(operation: RectangleErasing) -> int:
    return operation.count[1] if isinstance(operation.count, tuple) else operation.count


def _rectangles(operation: RectangleErasing, image: np.ndarray, sample: Sample) -> np.ndarray:
    low, high = operation.count if isinstance(operation.count, tuple) else (operation.count, operation.count)
    count = low + int(sample.u[0] * (high - low + 1))
    if count == 0:
        return image
    u = sample.u[1:].reshape(-1, _A_RECTANGLE)[:count]
    table = _boxes(operation, image, u[:, :4].T)
    visible = (table[:, 0] < table[:, 2]) & (table[:, 1] < table[:, 3])
    boxes = [Box(*row) for row in table[visible].tolist()]
    return _cover(image, boxes, _filling(operation.method, operation.color, image, sample, u[visible, 4:]), sample)


def _boxes(operation: RectangleErasing, image: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Rectangles of w = sqrt(ratio * area) and h = w / ratio pixels about any points, cut at the border; int (n, 4).

    `u` is float64 (4, n): of each its area, ratio and middle (y, x).
    """
    sides = np.array(image.shape[:2])[:, None]
    area, ratio = (low + u[n] * (high - low) for n, (low, high) in enumerate((operation.area, operation.ratio)))
    across = np.sqrt(ratio * area * sides.prod())
    lengths = np.stack([across / ratio, across])
    starts = np.rint(u[2:] * sides - lengths / 2)
    ends = np.minimum(starts + np.rint(lengths), sides)
    table: np.ndarray = np.concatenate([np.maximum(starts, 0), ends]).astype(int).T
    return table


def _grid(operation: GridErasing, image: np.ndarray, sample: Sample) -> np.ndarray:
    chance = sample.generator()
    covered = np.argwhere(chance.random((operation.cells_y, operation.cells_x)) < operation.cell_probability).tolist()
    ys, xs = _edges(image.shape[0], operation.cells_y), _edges(image.shape[1], operation.cells_x)
    boxes = [Box(ys[row], xs[column], ys[row + 1], xs[column + 1]) for row, column in covered]
    return _cover(
        image, boxes, _filling(operation.method, operation.color, image, sample, chance.random((len(boxes), 2))), sample
    )


def _edges(side: int, cells: int) -> list[int]:
    cell = math.ceil(side / cells)
    return [min(number * cell, side) for number in range(cells + 1)]


def _one_inside(operation: RandomErasing, image: np.ndarray, sample: Sample) -> np.ndarray:
    chance, value = sample.generator(), operation.value
    boxes = _boxes_inside(operation, image, chance.random((_ATTEMPTS, 4)).tolist())
    if value == "random":
        fill = _filling("mosaic", None, image, sample, chance.random((1, 2)))
    else:
        fill = _filling(
            "uniform", value if isinstance(value, tuple) else (value,), image, sample, chance.random((1, 2))
        )
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
    RectangleErasing: PixelOperation(lambda operation: 1 + _A_RECTANGLE * _most(operation), _rectangles, spatial=True),
    GridErasing: PixelOperation(0, _grid, spatial=True),
    RandomErasing: PixelOperation(0, _one_inside, spatial=True),
    Cutout: PixelOperation(2, _cutout, spatial=True),
}
