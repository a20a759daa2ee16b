"""The weights of a resize, computed by the graph: `augment.resample` for an axis whose length is known only then."""

from collections.abc import Callable
from math import pi
from typing import NamedTuple

import numpy as np

from vernier.deploy.export.geometry_graph import Length, Resampling, Window
from vernier.deploy.export.graph_builder import GraphBuilder, Value

BAND = 8
"""Output pixels that share their source pixels: fewer are copied more often, more are multiplied with more zeros."""

_WORTH_BANDS = 2
"""Whole matrices are simpler; bands have to have so many times fewer elements."""
_CUBIC_A = -0.5


class Bands(NamedTuple):
    """An axis matrix in blocks of output pixels, without most of its zeros.

    Attributes:
        weights: float32 (blocks, outputs, sources); one block without `sources`.
        sources: int64 (blocks, sources), the source pixels of each block; None for all, in their order.
        length: output pixels; the last block may have more.
    """

    weights: Value
    sources: Value | None
    length: Length


class _Taps(NamedTuple):
    """Output and source pixels of a resize, float64.

    Attributes:
        centres: (blocks, outputs, 1), the source positions of output pixels.
        columns: (blocks, 1, sources), the source pixels.
        scale: input / output pixels.
        stretch: of the kernel.
    """

    centres: Value
    columns: Value
    scale: Value
    stretch: Value


def computed_bands(builder: GraphBuilder, resampling: Resampling) -> Bands:
    """The matrix of a resampling, computed from the lengths that the graph finds."""
    places, inside = _places(builder, resampling)
    taps = _taps(builder, resampling, places.cast(np.float64))
    weights = _weights(builder, resampling, taps)
    if inside is not None:
        weights = weights.where(inside.reshape([-1, BAND, 1]), 0.0)
    sources, exists = _sources(taps.columns.cast(np.int64), resampling.earlier)
    if exists is not None:
        weights = weights.where(exists, 0.0)
    last = resampling.image - 1
    clipped = sources.maximum(0).minimum(last).reshape([0, -1])
    return Bands(weights.cast(np.float32), clipped, resampling.length)


def constant_bands(builder: GraphBuilder, matrix: np.ndarray) -> list[Bands]:
    """A known matrix; none at all for an axis that stays as it is.

    Args:
        builder: what constants are added to.
        matrix: float64 (outputs, sources).
    """
    length, sources = matrix.shape
    if np.array_equal(matrix, np.eye(length, sources)) and length == sources:
        return []
    padded = np.concatenate([matrix, np.zeros((-length % BAND, sources))])
    blocks = padded.reshape(-1, BAND, sources)
    used = blocks.any(axis=1)
    first, after = used.argmax(axis=1), np.where(used, np.arange(sources) + 1, 0).max(axis=1)
    width = max(1, int((after - first).max()))
    if len(padded) * width * _WORTH_BANDS >= matrix.size:
        return [Bands(builder.constant(matrix.astype(np.float32)), None, length)]
    # Blocks near the end reach back, so that no source is outside.
    places = np.minimum(first, sources - width)[:, None] + np.arange(width)
    weights = np.take_along_axis(blocks, places[:, None, :], axis=2)
    return [Bands(builder.constant(weights.astype(np.float32)), builder.constant(places), length)]


def _places(builder: GraphBuilder, resampling: Resampling) -> tuple[Value, Value | None]:
    """The pixels of the resized axis that outputs are, int64 (blocks * outputs,), and whether there are such."""
    blocks = (resampling.length + (BAND - 1)) // BAND
    places = builder.count(blocks * BAND).minimum(resampling.length - 1)
    return _sources(places, resampling.later)


def _sources(places: Value, windows: tuple[Window, ...]) -> tuple[Value, Value | None]:
    """Places in the last of windows as places before the first one, and whether there are such; None for all."""
    exists: Value | None = None
    for before, start, length in reversed(windows):
        if (before, start) == (length, 0):
            continue
        places = places + start
        within = (places >= 0).both(places < before)
        exists = within if exists is None else exists.both(within)
    return places, exists


def _taps(builder: GraphBuilder, resampling: Resampling, places: Value) -> _Taps:
    source, resized = (builder.whole(length).cast(np.float64) for length in (resampling.source, resampling.resized))
    centres = ((places + 0.5) * source / resized).reshape([-1, BAND, 1])
    scale = source / resized
    name, antialias = resampling.kernel
    stretch = scale.maximum(1.0) if antialias else builder.constant(np.array(1.0))
    reach = _reach(name, scale, stretch)
    first = (centres.part(0, 1, axis=1) - reach).unary("Floor")
    number = (scale * (BAND - 1) + reach * 2.0).cast(np.int64) + 2
    return _Taps(centres, first + builder.count(number).cast(np.float64), scale, stretch)


def _reach(name: str, scale: Value, stretch: Value) -> Value:
    """How far from its centre an output pixel sees."""
    if name == "nearest":
        return scale * 0.0
    return scale * 0.5 if name == "area" else stretch * _KERNELS[name][1]


def _weights(builder: GraphBuilder, resampling: Resampling, taps: _Taps) -> Value:
    """Scaled to sum 1 over the sources, float64 (blocks, outputs, sources)."""
    name, source = resampling.kernel.interpolation, resampling.source
    nearest = taps.columns.equals(taps.centres.unary("Floor")).cast(np.float64)
    if name == "nearest":
        return nearest
    weights = _overlaps(taps) if name == "area" else _KERNELS[name][0](_distances(taps))
    weights = weights.where((taps.columns >= 0.0).both(taps.columns < _as_real(builder, source)), 0.0)
    weights = weights / weights.total(axis=2)
    if name in _EXACT:
        return weights
    return nearest.where(builder.whole(source).equals(resampling.resized), weights)


def _as_real(builder: GraphBuilder, length: Length) -> Value:
    return builder.whole(length).cast(np.float64)


def _distances(taps: _Taps) -> Value:
    return (taps.columns + 0.5 - taps.centres).unary("Abs") / taps.stretch


def _overlaps(taps: _Taps) -> Value:
    """As `resample._overlaps`."""
    half = taps.scale * 0.5
    ends = (taps.columns + 1.0).minimum(taps.centres + half)
    return (ends - taps.columns.maximum(taps.centres - half)).maximum(0.0)


def _triangle(distance: Value) -> Value:
    return (1.0 - distance).maximum(0.0)


def _cubic(distance: Value) -> Value:
    a = _CUBIC_A
    near = (distance * (a + 2) - (a + 3)) * distance * distance + 1.0
    far = (((distance - 5.0) * distance + 8.0) * distance - 4.0) * a
    return _pieces(distance, near, far)


def _mitchell(distance: Value) -> Value:
    near = (distance * 21.0 - 36.0) * distance * distance + 16.0
    far = ((distance * -7.0 + 36.0) * distance - 60.0) * distance + 32.0
    return _pieces(distance, near, far)


def _pieces(distance: Value, near: Value, far: Value) -> Value:
    return near.where(distance < 1.0, far.where(distance < 2.0, 0.0))


def _gaussian(distance: Value) -> Value:
    return (distance * distance * -2.0).unary("Exp").where(distance < 1.5, 0.0)


def _lanczos(lobes: int) -> Callable[[Value], Value]:
    def kernel(distance: Value) -> Value:
        angle = distance.maximum(_TINY) * pi
        window = angle / float(lobes)
        sincs = angle.unary("Sin") * window.unary("Sin") / (angle * window)
        return sincs.where(distance < float(lobes), 0.0)

    return kernel


_TINY = 1e-20
"""Stands for 0 where 0 / 0 would be 1."""

_KERNELS: dict[str, tuple[Callable[[Value], Value], float]] = {
    "bilinear": (_triangle, 1.0),
    "bicubic": (_cubic, 2.0),
    "lanczos3": (_lanczos(3), 3.0),
    "lanczos5": (_lanczos(5), 5.0),
    "gaussian": (_gaussian, 1.5),
    "mitchellcubic": (_mitchell, 2.0),
}
_EXACT = ("bilinear", "bicubic", "area")
"""Kernels that leave alone what keeps its size; others blur it, or have sines that are not quite 0."""
