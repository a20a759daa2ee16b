"""Ranges from histograms."""

import numpy as np

BINS = 2048
LEVELS = 128
_STEP = 8


def count_values(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """How many values lie in each of 2048 bins of equal width between low and high, int64.

    Values outside, such as high itself, count in the bin next to them.

    Args:
        values: float32, of any shape.
        low: Lower edge of the first bin; below high.
        high: Upper edge of the last bin.
    """
    places = values.reshape(-1) - np.float32(low)
    places *= np.float32(BINS / (high - low))
    np.clip(places, 0, BINS - 1, out=places)
    return np.bincount(places.astype(np.int64), minlength=BINS)


def percentile_range(counts: np.ndarray, low: float, high: float, percentile: float) -> tuple[float, float]:
    """Bounds that leave out half of 100 - percentile % of the values on either side, at most, to a bin's width.

    Args:
        counts: Of `count_values` between low and high.
        low: Lower edge of the first bin.
        high: Upper edge of the last bin.
        percentile: Share of the values inside, above 50 and at most 100.
    """
    edges = np.linspace(low, high, len(counts) + 1)
    below = np.cumsum(counts)
    tail = below[-1] * (100 - percentile) / 200
    first = np.searchsorted(below, tail, side="right")
    last = np.searchsorted(below, below[-1] - tail, side="left")
    return float(edges[first]), float(edges[last + 1])


def entropy_bins(counts: np.ndarray) -> int:
    """How many of the first bins lose the least information when they become 128 levels and what is beyond saturates.

    The least Kullback-Leibler divergence of the distribution in levels from the one in bins, as in Migacz, "8-bit
    inference with TensorRT", 2017. The bin of zeros counts as its neighbour does: levels hold 0 exactly.

    Args:
        counts: Of absolute values, int64 (bins,), from 0 up.

    Returns:
        From 128 to the number of bins, in steps of 8.
    """
    counts = counts.astype(np.float64)
    counts[0] = counts[1]
    if counts.sum() == 0:
        return len(counts)
    candidates = range(LEVELS, len(counts) + 1, _STEP)
    return min(candidates, key=lambda kept: _divergence(counts, kept))


def _divergence(counts: np.ndarray, kept: int) -> float:
    """Kullback-Leibler divergence of the first bins in levels from the same with all beyond added to the last one."""
    inside = counts[:kept]
    saturated = inside.copy()
    saturated[-1] += counts[kept:].sum()
    if inside.sum() == 0:
        return np.inf
    starts = np.arange(LEVELS) * kept // LEVELS
    level = np.repeat(np.arange(LEVELS), np.diff(np.append(starts, kept)))
    used = np.add.reduceat((inside > 0).astype(np.float64), starts)
    means = np.add.reduceat(inside, starts) / np.maximum(used, 1)
    levels = np.where(inside > 0, means[level], 0)
    there = saturated > 0
    if (levels[there] == 0).any():
        return np.inf
    p, q = saturated[there] / saturated.sum(), levels[there] / levels.sum()
    return float((p * np.log(p / q)).sum())
