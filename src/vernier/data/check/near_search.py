"""All pairs of 64-bit hashes that differ in a few bits, without comparing all with all.

The bits are cut into `distance // 2 + 1` bands. Were each band of two hashes to differ in two bits or more, the hashes
would differ in more than `distance`; so some band differs in one bit at most. Hashes are looked up band by band, as
they are and with each bit set (multi-index hashing: Norouzi, Punjani, Fleet, "Fast search in Hamming space with
multi-index hashing", 2012).
"""

from collections.abc import Iterator
from typing import Final

import numpy as np

_BITS: Final = 64
_AT_ONCE: Final = 1 << 20
"""Candidates that are compared at a time, which bounds the memory (about 50 bytes each)."""


def near_pairs(hashes: np.ndarray, distance: int) -> np.ndarray:
    """Every pair that differs in `distance` bits at most.

    Args:
        hashes: uint64 (N,).
        distance: Hamming distance, 0 to 63. The time grows with it.

    Returns:
        int64 (P, 2), positions with the smaller one first, sorted, each pair once.
    """
    found = [np.empty((0, 2), dtype=np.int64)]
    for shift, width in _bands(distance // 2 + 1):
        band = (hashes >> np.uint64(shift)) & np.uint64((1 << width) - 1)
        found += [_within(hashes, pairs, distance) for pairs in _candidates(band, width, distance)]
    return np.unique(np.sort(np.concatenate(found), axis=1), axis=0)


def _bands(count: int) -> Iterator[tuple[int, int]]:
    """(first bit, width) of each band; they cover all bits."""
    edges = [_BITS * number // count for number in range(count + 1)]
    yield from zip(edges, np.diff(edges).tolist(), strict=False)


def _candidates(band: np.ndarray, width: int, distance: int) -> Iterator[np.ndarray]:
    """Pairs of positions, int64 (P, 2), whose bands differ in one bit at most."""
    order = np.argsort(band, kind="stable")
    values = band[order]
    ends = np.searchsorted(values, values, side="right")
    yield from _pairs(order, np.arange(1, len(order) + 1), ends, np.arange(len(order)))
    if not distance:
        return
    for bit in range(width):
        mask = np.uint64(1 << bit)
        # From the side without the bit, so that no pair comes twice.
        clear = np.flatnonzero((values & mask) == 0)
        wanted = values[clear] | mask
        starts, ends = np.searchsorted(values, wanted, side="left"), np.searchsorted(values, wanted, side="right")
        yield from _pairs(order, starts, ends, clear)


def _pairs(order: np.ndarray, starts: np.ndarray, ends: np.ndarray, places: np.ndarray) -> Iterator[np.ndarray]:
    """Each place with those from its start to its end, a piece at a time."""
    counts = ends - starts
    full = np.flatnonzero(counts)
    starts, counts, places = starts[full], counts[full], places[full]
    totals = np.cumsum(counts)
    first = 0
    while first < len(counts):
        before = totals[first] - counts[first]
        last = max(first + 1, int(np.searchsorted(totals, before + _AT_ONCE, side="right")))
        piece = slice(first, last)
        offsets = np.arange(totals[last - 1] - before) - np.repeat(
            totals[piece] - counts[piece] - before, counts[piece]
        )
        others = np.repeat(starts[piece], counts[piece]) + offsets
        yield np.stack([order[np.repeat(places[piece], counts[piece])], order[others]], axis=1)
        first = last


def _within(hashes: np.ndarray, pairs: np.ndarray, distance: int) -> np.ndarray:
    bits = np.bitwise_count(hashes[pairs[:, 0]] ^ hashes[pairs[:, 1]])
    return np.asarray(pairs[bits <= distance])
