"""`Preprocessing` as plain ONNX operators: a uint8 image of any or of one size in, the network's input out.

As there, out = fill + A_h (x - fill) A_w^T for each channel. The matrices of the axes are products of few taps a row,
so they come in blocks of output pixels, each with the source pixels that it needs: Gather copies these, MatMul
multiplies them. For images of one size the matrices are constants, and small ones stay whole.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from vernier.augment.preprocess import Preprocessing, Size, axis_steps
from vernier.augment.resample import axis_matrix
from vernier.config.augment import CentralCrop
from vernier.config.export import Layout
from vernier.deploy.export.geometry_graph import Length, axis_resamplings
from vernier.deploy.export.graph_builder import GraphBuilder, Value
from vernier.deploy.export.kernel_graph import BAND, Bands, computed_bands, constant_bands

_SPATIAL: dict[Layout, tuple[int, int]] = {"nhwc": (1, 2), "nchw": (2, 3)}
"""Axes of rows and columns."""
_CUTTING = {"CentralCrop", "crop"}
"""Crops, and modes of resizes, that leave out parts of an image."""
_PADDING = {"CentralCrop", "letterbox"}
"""Those that may show what is outside the image."""


class _Resize(NamedTuple):
    """What happens to an image.

    Attributes:
        image: the part of it that is needed, uint8.
        width: its columns.
        rows: the matrices of its rows, the first one first; none where they stay as they are.
        columns: the same of its columns.
        fill: value outside the image; 0 also where nothing can be outside.
    """

    image: Value
    width: Length
    rows: Sequence[Bands]
    columns: Sequence[Bands]
    fill: int


def add_preprocessing(
    builder: GraphBuilder,
    image: Value,
    preprocessing: Preprocessing,
    *,
    layout: Layout,
    image_size: Size | None,
    output: str,
) -> None:
    """Add what makes an image the network's input.

    Args:
        builder: what nodes are added to; it holds nothing else.
        image: uint8 (N, H, W, C) or (N, C, H, W).
        preprocessing: what to compute.
        layout: order of the image's axes.
        image_size: H and W; None for any.
        output: name of the result, float32 (N, C, height, width).
    """
    if image_size is None:
        resize = _of_any_size(builder, image, preprocessing, layout)
    else:
        resize = _of_one_size(builder, image, preprocessing, layout, image_size)
    pixels = _resized(resize, layout, preprocessing.channels, preprocessing.input_size[0])
    # The shape is known: networks with a fixed one can rely on it.
    pixels = pixels.reshape([0, preprocessing.channels, *preprocessing.input_size])
    scale, offset = (np.array(values)[:, None, None] for values in (preprocessing.scale, preprocessing.offset))
    scaled = pixels * builder.constant(scale.astype(np.float32))
    shifted = builder.constant((offset + resize.fill * scale).astype(np.float32))
    builder.apply("Add", [scaled, shifted], np.float32, name=output)
    builder.drop_unused(output)


def _of_any_size(builder: GraphBuilder, image: Value, preprocessing: Preprocessing, layout: Layout) -> _Resize:
    shape = builder.apply("Shape", [image], np.int64)
    height, width = (shape.take(axis) for axis in _SPATIAL[layout])
    geometry = preprocessing.geometry
    axes = axis_resamplings(geometry, (height, width), preprocessing.interpolation)
    rows, columns = ([computed_bands(builder, resampling) for resampling in axis] for axis in axes)
    kinds = {operation.name if isinstance(operation, CentralCrop) else operation.mode for operation in geometry}
    if kinds & _CUTTING:
        image, width, columns[0] = _needed(image, columns[0], _SPATIAL[layout][1])
    return _Resize(image, width, rows, columns, preprocessing.fill if kinds & _PADDING else 0)


def _needed(image: Value, bands: Bands, axis: int) -> tuple[Value, Value, Bands]:
    """The part of an axis that a matrix needs, its length, and the matrix for it."""
    assert bands.sources is not None, "computed matrices have sources"
    places = bands.sources.reshape([-1])
    start, stop = places.take(0), places.take(-1) + 1
    return image.part(start, stop, axis), stop - start, bands._replace(sources=bands.sources - start)


def _of_one_size(
    builder: GraphBuilder, image: Value, preprocessing: Preprocessing, layout: Layout, size: Size
) -> _Resize:
    steps = axis_steps(preprocessing.geometry, size, preprocessing.interpolation)
    matrices = [axis_matrix(axis, length) for axis, length in zip(steps, size, strict=True)]
    covered = all(np.allclose(matrix.sum(axis=1), 1) for matrix in matrices)
    needed = []
    for matrix, axis in zip(matrices, _SPATIAL[layout], strict=True):
        used = np.flatnonzero(matrix.any(axis=0))
        start, stop = (int(used[0]), int(used[-1]) + 1) if len(used) else (0, 1)
        needed.append(matrix[:, start:stop])
        image = image if needed[-1].shape == matrix.shape else image.part(start, stop, axis)
    rows, columns = (constant_bands(builder, matrix) for matrix in needed)
    return _Resize(image, needed[1].shape[1], rows, columns, 0 if covered else preprocessing.fill)


def _resized(resize: _Resize, layout: Layout, channels: int, height: int) -> Value:
    """float32 (N, C, height, width), less the fill."""
    image, width, rows, columns, fill = resize
    if layout == "nchw":
        done = _along(image, rows, width, fill).transpose(0, 1, 3, 2)
    else:
        inner = width * channels
        lines = _along(image.reshape([0, 1, -1, inner]), rows, inner, fill)
        done = lines.reshape([0, -1, width, channels]).transpose(0, 3, 2, 1)
    return _along(done, columns, height, 0).transpose(0, 1, 3, 2)


def _along(values: Value, bands: Sequence[Bands], inner: Length, fill: int) -> Value:
    """Matrices times (N, outer, length, inner), one after the other; float32."""
    for each in bands:
        values, fill = _product(values, each, inner, fill), 0
    values = values.cast(np.float32)
    return values - fill if fill else values


def _product(values: Value, bands: Bands, inner: Length, fill: int) -> Value:
    weights, sources, length = bands
    needed = values if sources is None else values.take(sources, axis=2)
    product = weights.times(needed.cast(np.float32))
    if fill:
        product = product - weights.total(axis=-1) * fill
    if sources is None:
        return product
    joined = product.reshape([0, 0, -1, inner])
    return joined if isinstance(length, int) and length % BAND == 0 else joined.part(0, length, axis=2)
