"""Resizing along one axis as a matrix: the single source of evaluation's resize.

Pixels are samples at the centres of unit cells. Output pixel o looks at the source position
(o + 1/2) * input_size / output_size. Its weights are a kernel around it, stretched by the scale when shrinking
(antialiasing), and sum to 1. Pillow's resize and torch's `interpolate(antialias=True)` compute the same; with
`antialias=False` it is what `tf.image.resize` does by default. An axis that keeps its size is left as it is.

Kernels: Keys 1981 (bicubic, a = -0.5); Mitchell & Netravali 1988 (B = C = 1/3); Lanczos: a sinc in a sinc window of 3
or 5 lobes; gaussian: a standard deviation of 1/2 cut off at 3/2, as TensorFlow has it; area: each source pixel counts
by how much of the output pixel's cell it covers.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, final

import numpy as np

from vernier.config.operations.base import ResizeKernel

_CUBIC_A = -0.5
_BAND_ROWS = 16
_BAND_TAPS = 96
# OpenBLAS computes products of up to so many multiply-adds in the calling thread. With more it wakes threads of
# its own, which get in the way of the model's and make busy machines many times slower.
_LARGEST_PRODUCT = 2**18


def resampling_matrix(
    input_size: int,
    output_size: int,
    start: int = 0,
    stop: int | None = None,
    *,
    interpolation: ResizeKernel = "bilinear",
    antialias: bool = True,
) -> np.ndarray:
    """Rows `start` to `stop` of the matrix that resizes an axis.

    Args:
        input_size: pixels of the axis.
        output_size: pixels after the resize.
        start: first output pixel; negative for pixels before the image.
        stop: end of the output pixels, by default `output_size`; beyond it for pixels after the image.
        interpolation: the kernel.
        antialias: stretch the kernel when shrinking; nearest never does, area has nothing to stretch.

    Returns:
        float64 (stop - start, input_size). Rows sum to 1; rows outside the image are zero.
    """
    positions = np.arange(start, output_size if stop is None else stop)
    centres = (positions + 0.5) * input_size / output_size
    if interpolation == "nearest" or input_size == output_size:
        weights, columns = np.ones((len(positions), 1)), _nearest(positions, input_size, output_size)[:, None]
    elif interpolation == "area":
        weights, columns = _overlaps(centres, input_size / output_size, input_size)
    else:
        stretch = max(input_size / output_size, 1.0) if antialias else 1.0
        weights, columns = _taps(centres, stretch, input_size, interpolation)
    inside = (positions >= 0) & (positions < output_size)
    return _scatter(weights[inside], columns[inside], inside, input_size)


class Kernel(NamedTuple):
    """How an axis is resized."""

    interpolation: ResizeKernel = "bilinear"
    antialias: bool = True


class AxisStep(NamedTuple):
    """Resize an axis to `resized` pixels, then keep `start` to `stop`; pixels outside the image are 0."""

    resized: int
    start: int
    stop: int
    kernel: Kernel = Kernel()


def axis_matrix(steps: Sequence[AxisStep], size: int) -> np.ndarray:
    """All steps on an axis of `size` pixels as one matrix, float64 (output pixels, size)."""
    *earlier, last = steps or [AxisStep(size, 0, size)]
    sizes = [size, *(step.stop - step.start for step in earlier)]
    matrix = _step_matrix(last, sizes[-1])
    for step, before in zip(reversed(earlier), reversed(sizes[:-1]), strict=True):
        window = step.resized == before
        matrix = _after_window(matrix, step, before) if window else matrix @ _step_matrix(step, before)
    return matrix


def _step_matrix(step: AxisStep, size: int) -> np.ndarray:
    *window, kernel = step
    return resampling_matrix(size, *window, interpolation=kernel.interpolation, antialias=kernel.antialias)


def _after_window(matrix: np.ndarray, window: AxisStep, size: int) -> np.ndarray:
    """`matrix` applied to a window of an axis of `size` pixels."""
    first, last = (min(max(end, 0), size) for end in (window.start, window.stop))
    placed = np.zeros((len(matrix), size))
    placed[:, first:last] = matrix[:, first - window.start : last - window.start]
    return placed


class Band(NamedTuple):
    """A block of output pixels and the source pixels that they need: float32 (outputs, sources)."""

    outputs: slice
    sources: slice
    weights: np.ndarray


@final
@dataclass(frozen=True)
class Axis:
    """An axis matrix without most of its zeros.

    Attributes:
        length: output pixels.
        sources: the source pixels that are needed at all.
        bands: the blocks that are not zero, their sources counted from `sources.start`.
        coverage: float32 (length,), the row sums: 1 inside the image, 0 outside.
    """

    length: int
    sources: slice
    bands: tuple[Band, ...]
    coverage: np.ndarray


@lru_cache(maxsize=512)
def banded_axis(steps: tuple[AxisStep, ...], size: int) -> Axis:
    """`axis_matrix` in bands; its arrays are shared and read-only."""
    matrix = axis_matrix(steps, size)
    sources = _extent(matrix)
    needed = matrix[:, sources].astype(np.float32)
    taps = np.count_nonzero(needed, axis=1).max(initial=1)
    height = int(np.clip(_BAND_TAPS // taps, 1, _BAND_ROWS))
    blocks = (slice(row, min(row + height, len(needed))) for row in range(0, len(needed), height))
    bands = tuple(_band(needed, block) for block in blocks)
    coverage = matrix.sum(axis=1).astype(np.float32)
    for array in (coverage, *(band.weights for band in bands)):
        array.flags.writeable = False
    return Axis(len(matrix), sources, bands, coverage)


def nearest_places(steps: Sequence[AxisStep], size: int) -> np.ndarray | None:
    """For each output pixel the one source pixel that it takes, int64; None where pixels are mixed or outside."""
    places = np.arange(size)
    for step in steps:
        length = len(places)
        if step.start < 0 or step.stop > step.resized:
            return None
        if step.resized != length and step.kernel.interpolation != "nearest":
            return None
        places = places[_nearest(np.arange(step.start, step.stop), length, step.resized)]
    return places


def _nearest(positions: np.ndarray, input_size: int, output_size: int) -> np.ndarray:
    """The source pixels under the centres of output pixels, int64."""
    places: np.ndarray = np.floor((positions + 0.5) * input_size / output_size).astype(np.int64)
    return places


def _band(matrix: np.ndarray, outputs: slice) -> Band:
    sources = _extent(matrix[outputs])
    return Band(outputs, sources, np.ascontiguousarray(matrix[outputs, sources]))


def _extent(matrix: np.ndarray) -> slice:
    """From the first to the last column that is not zero; empty for a matrix of zeros."""
    used = np.flatnonzero(matrix.any(axis=0))
    return slice(int(used[0]), int(used[-1]) + 1) if len(used) else slice(0, 0)


def resample(image: np.ndarray, vertical: Axis, horizontal: Axis) -> np.ndarray:
    """Both axes of an image uint8 (H, W, C); float32 (C, height, width)."""
    needed = np.ascontiguousarray(image[vertical.sources, horizontal.sources])
    height, width, channels = needed.shape
    rows = _resample_rows(needed.reshape(height, width * channels), vertical)
    shape = (channels, vertical.length)
    planes = rows.reshape(vertical.length, width, channels).transpose(2, 0, 1).reshape(np.prod(shape), width)
    return _resample_columns(planes, horizontal).reshape(*shape, horizontal.length)


def _resample_rows(pixels: np.ndarray, axis: Axis) -> np.ndarray:
    """The axis matrix times uint8 (sources, any); float32 (length, any)."""
    resampled = np.empty((axis.length, pixels.shape[1]), dtype=np.float32)
    for outputs, sources, weights in axis.bands:
        for part in _parts(pixels.shape[1], weights):
            np.matmul(weights, pixels[sources, part].astype(np.float32), out=resampled[outputs, part])
    return resampled


def _resample_columns(pixels: np.ndarray, axis: Axis) -> np.ndarray:
    """float32 (any, sources) times the transposed axis matrix; float32 (any, length)."""
    resampled = np.empty((len(pixels), axis.length), dtype=np.float32)
    for outputs, sources, weights in axis.bands:
        for part in _parts(len(pixels), weights):
            np.matmul(pixels[part, sources], weights.T, out=resampled[part, outputs])
    return resampled


def _parts(length: int, weights: np.ndarray) -> Iterator[slice]:
    """Parts of `length` vectors whose product with `weights` is not too large."""
    size = max(1, _LARGEST_PRODUCT // max(1, weights.size))
    return (slice(start, min(start + size, length)) for start in range(0, length, size))


def _taps(
    centres: np.ndarray, stretch: float, input_size: int, interpolation: ResizeKernel
) -> tuple[np.ndarray, np.ndarray]:
    """Weights and source pixels, both (outputs, taps), of a kernel stretched by `stretch`."""
    kernel, radius = _KERNELS[interpolation]
    first = np.floor(centres - radius * stretch).astype(np.int64)
    columns = first[:, None] + np.arange(int(np.ceil(2 * radius * stretch)) + 1)
    weights = kernel(np.abs(columns + 0.5 - centres[:, None]) / stretch)
    weights[(columns < 0) | (columns >= input_size)] = 0.0
    return weights, columns


def _scatter(weights: np.ndarray, columns: np.ndarray, inside: np.ndarray, input_size: int) -> np.ndarray:
    """The matrix whose rows `inside` hold the weights, scaled to sum 1, at their columns."""
    # The margin takes the taps beyond the image, whose weight is 0.
    margin = weights.shape[1]
    filled = np.zeros((len(weights), input_size + 2 * margin))
    np.put_along_axis(filled, columns + margin, weights / weights.sum(axis=1, keepdims=True), axis=1)
    matrix = np.zeros((len(inside), input_size))
    matrix[inside] = filled[:, margin : margin + input_size]
    return matrix


def _overlaps(centres: np.ndarray, scale: float, input_size: int) -> tuple[np.ndarray, np.ndarray]:
    """How much of each output pixel's cell, `scale` long, lies in each source pixel; (outputs, taps) as in `_taps`."""
    start, stop = centres - scale / 2, centres + scale / 2
    columns = np.floor(start).astype(np.int64)[:, None] + np.arange(int(np.ceil(scale)) + 1)
    weights = np.minimum(columns + 1, stop[:, None]) - np.maximum(columns, start[:, None])
    weights[(columns < 0) | (columns >= input_size)] = 0.0
    return np.maximum(weights, 0.0), columns


def _triangle(distance: np.ndarray) -> np.ndarray:
    return np.maximum(1.0 - distance, 0.0)


def _cubic(distance: np.ndarray) -> np.ndarray:
    a = _CUBIC_A
    near = ((a + 2) * distance - (a + 3)) * distance * distance + 1
    far = a * (((distance - 5) * distance + 8) * distance - 4)
    return np.where(distance < 1, near, np.where(distance < 2, far, 0.0))


def _mitchell(distance: np.ndarray) -> np.ndarray:
    """B = C = 1/3, times 18."""
    near = (21 * distance - 36) * distance * distance + 16
    far = ((-7 * distance + 36) * distance - 60) * distance + 32
    return np.where(distance < 1, near, np.where(distance < 2, far, 0.0))


def _gaussian(distance: np.ndarray) -> np.ndarray:
    return np.where(distance < 1.5, np.exp(-2.0 * distance * distance), 0.0)


def _lanczos(lobes: int) -> Callable[[np.ndarray], np.ndarray]:
    def kernel(distance: np.ndarray) -> np.ndarray:
        return np.where(distance < lobes, np.sinc(distance) * np.sinc(distance / lobes), 0.0)

    return kernel


_KERNELS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], float]] = {
    "bilinear": (_triangle, 1.0),
    "bicubic": (_cubic, 2.0),
    "lanczos3": (_lanczos(3), 3.0),
    "lanczos5": (_lanczos(5), 5.0),
    "gaussian": (_gaussian, 1.5),
    "mitchellcubic": (_mitchell, 2.0),
}
