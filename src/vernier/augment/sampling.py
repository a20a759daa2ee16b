"""What a warp reads of its source, so that shrinking does not alias and nothing is read for nothing.

A warp interpolates between neighbouring pixels, so where it shrinks it would step over the ones in between. The
source is therefore smoothed first with a box as wide as an output pixel is there, one width for each axis; what
shrinks by more than `DIRECT` is halved until it does not. Discrete boxes have fractional ends, chosen so that their
variance is exactly that of the continuous box, s^2 / 12 for a width of s pixels. Halving n times has already brought
(1 - 4^-n) / 12 of it, in pixels of the halved image, and interpolating there rather than in the source twice that.

Both backends follow the same numbers, drawn up here for a whole batch at once.
"""

from dataclasses import dataclass
from typing import Final, final

import numpy as np
import numpy.typing as npt

from vernier.augment.geometry import Floats, Warp

SHARP: Final = 1.1
"""Up to this many source pixels an output pixel, the source is not smoothed."""
DIRECT: Final = 4.0
"""Up to this many source pixels an output pixel, the source is not halved."""
REACH: Final = 5
"""Pixels around a position that smoothing and interpolation may read, with one to spare."""


@final
@dataclass(frozen=True)
class Sampling:
    """For each image of a batch: the window to cut, how to reduce it, and the warp from there.

    Attributes:
        windows: top, left, bottom, right of the part of the source that is read, int64 (N, 4).
        halvings: how often the window's height and width are halved, int64 (N, 2).
        variances: variance of the box along y and x that then smooths it, in pixels; 0 for none; float64 (N, 2).
        matrices: from output coordinates to those of the halved window, float64 (N, 3, 3).
    """

    windows: npt.NDArray[np.int64]
    halvings: npt.NDArray[np.int64]
    variances: Floats
    matrices: Floats


def plan_sampling(warp: Warp, *, border: str, smooth: bool) -> Sampling:
    """The sampling of each image; `smooth` is off for nearest-neighbour interpolation, which keeps values."""
    shrink = _shrink(warp) if smooth else np.ones(warp.sizes.shape)
    halvings = np.maximum(np.ceil(np.log2(shrink / DIRECT)), 0).astype(np.int64)
    if border == "wrap":
        # An odd side has no half that could be laid end to end.
        halvings = np.minimum(halvings, _factors_of_two(warp.source_sizes))
    margin = np.maximum(REACH * 2**halvings, np.ceil(shrink / 2).astype(np.int64) + REACH // 2)
    windows = _windows(warp, margin, border)
    to_window = np.tile(np.eye(3), (len(windows), 1, 1))
    to_window[:, :2, 2] = -windows[:, 1::-1]
    to_window[:, :2] *= 0.5 ** halvings[:, ::-1, None]
    return Sampling(windows, halvings, _variances(shrink, halvings), to_window @ warp.matrices)


def box_taps(variance: float) -> Floats:
    """Weights of a discrete box with fractional ends and this variance, float64 (2 r + 1,), sum 1.

    A box of width b over 2 r + 1 pixels has the variance r^2 - r (4 r^2 - 1) / (3 b); r is the smallest that does.
    """
    radius = int(np.ceil((np.sqrt(1 + 12 * variance) - 1) / 2))
    if radius == 0:
        return np.ones(1)
    width = radius * (4 * radius**2 - 1) / (3 * (radius**2 - variance))
    taps = np.full(2 * radius + 1, 1 / width)
    taps[[0, -1]] = (1 - (2 * radius - 1) / width) / 2
    return taps


def is_smoothed(warp: Warp) -> npt.NDArray[np.bool_]:
    """Whether an image shrinks so far that it is smoothed before it is interpolated, bool (N,)."""
    return np.asarray((_shrink(warp) > SHARP).any(axis=1))


def leaves_source(warp: Warp) -> npt.NDArray[np.bool_]:
    """Whether a corner of the output lies outside the source, bool (N,): if none does, no pixel does."""
    positions, ahead = _corners(warp)
    inside = (positions >= 0) & (positions <= warp.source_sizes[:, None])
    return ~(inside.all(axis=(1, 2)) & ahead[:, 0])


def inside_rows(warp: Warp) -> npt.NDArray[np.int64]:
    """Where each output row lies within the source: the first column inside and the first after it.

    A pixel is inside when its middle is. The inside of a projective warp is convex, bounded by the four lines
    on which x = 0, x = width, y = 0 and y = height, each linear in output coordinates.

    Returns:
        int64 (N, h, 2), h being the largest output height; both are 0 where a row is outside altogether.
    """
    rows = np.arange(warp.sizes[:, 0].max(initial=0)) + 0.5
    width = warp.sizes[:, 1, None]
    x, y, w = np.moveaxis(warp.matrices, 1, 0)
    far_y, far_x = (warp.source_sizes[:, axis, None] * w - near for axis, near in enumerate((y, x)))
    start, stop = np.zeros((len(w), len(rows))), np.broadcast_to(width, (len(w), len(rows)))
    for line in (x, y, far_x, far_y):
        first, last = _positive_columns(line, rows, width)
        start, stop = np.maximum(start, first), np.minimum(stop, last)
    return np.where((start < stop)[..., None], np.stack([start, stop], axis=-1), 0).astype(np.int64)


def _positive_columns(line: Floats, rows: Floats, width: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
    """The columns from first to before last, float64 (N, h), whose middles are on the line's positive side."""
    slope, level = line[:, 0, None], line[:, 1, None] * rows + line[:, 2, None]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        crossing = -level / slope - 0.5
    none_or_all = np.where(level >= 0, width, 0)
    first = np.where(slope > 0, np.ceil(crossing), 0)
    last = np.where(slope < 0, np.floor(crossing) + 1, np.where(slope > 0, width, none_or_all))
    return first, last


def _shrink(warp: Warp) -> Floats:
    """Source pixels (y, x) that an output pixel spans in the middle of the output, at least 1; float64 (N, 2)."""
    middle = np.concatenate([warp.sizes[:, ::-1] / 2, np.ones((len(warp.sizes), 1))], axis=1)
    x, y, w = np.moveaxis(np.einsum("nij,nj->ni", warp.matrices, middle), 1, 0)
    ahead = w > 0
    w = np.where(ahead, w, 1.0)
    position = np.stack([x / w, y / w], axis=1)
    slopes = warp.matrices[:, :2, :2] - position[:, :, None] * warp.matrices[:, 2:, :2]
    spans = np.linalg.norm(slopes / w[:, None, None], axis=2)
    return np.where(ahead[:, None], np.maximum(spans[:, ::-1], 1.0), 1.0)


def _variances(shrink: Floats, halvings: npt.NDArray[np.int64]) -> Floats:
    width = shrink / 2.0**halvings
    variances = (width**2 - 3 * (1 - 0.25**halvings)) / 12
    return np.where(shrink > SHARP, variances, 0.0)


def _factors_of_two(sizes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """How often sizes can be halved without a rest."""
    times: npt.NDArray[np.int64] = np.log2(sizes & -sizes).astype(np.int64)
    return times


def _windows(warp: Warp, margin: npt.NDArray[np.int64], border: str) -> npt.NDArray[np.int64]:
    """The box around the output's corners in the source, with a margin (y, x), within the image."""
    positions, ahead = _corners(warp)
    low, high = positions.min(axis=1), positions.max(axis=1)
    if border == "reflect":
        low, high = _with_reflections(low, high, warp.source_sizes)
    if border == "wrap":
        across = (low < margin) | (high > warp.source_sizes - margin)
        low, high = np.where(across, 0.0, low), np.where(across, warp.source_sizes, high)
    start = np.where(ahead, np.floor(low - margin), 0).clip(0, warp.source_sizes - 1)
    stop = np.where(ahead, np.ceil(high + margin), warp.source_sizes).clip(start + 1, warp.source_sizes)
    return np.concatenate([start, stop], axis=1).astype(np.int64)


def _corners(warp: Warp) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Where the output's corners (y, x) lie, float64 (N, 4, 2), and whether all of them lie ahead, bool (N, 1)."""
    edges = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]) * warp.sizes[:, None, ::-1]
    corners = np.concatenate([edges, np.ones((len(edges), 4, 1))], axis=2)
    x, y, w = np.moveaxis(corners @ warp.matrices.transpose(0, 2, 1), 2, 0)
    ahead = (w > 0).all(axis=1, keepdims=True)
    return np.stack([y, x], axis=2) / np.where(ahead, w, 1.0)[:, :, None], ahead


def _with_reflections(low: Floats, high: Floats, sizes: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
    """A range of positions, together with where its parts outside the image are mirrored to."""
    mirrored_low = np.where(high > sizes, np.minimum(low, 2 * sizes - high), low)
    return mirrored_low, np.where(low < 0, np.maximum(high, -low), high)
