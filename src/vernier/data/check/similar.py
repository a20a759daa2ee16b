"""Images that are the same, or nearly."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, final

import numpy as np

from vernier.data.check.near_search import near_pairs
from vernier.data.check.quality_limits import BLANK_SPREAD
from vernier.data.check.scan import Scan

NEAR_BITS: Final = 8
"""Bits of the hash in which near duplicates may differ. On real photos encoding anew at quality 30 or halving the size
changes 4 at most; edits of one photo (crops, colours) up to 8."""

CORRELATIONS: Final = (0.92, 0.95, 0.97, 0.98, 0.99, 0.995)
"""How alike two tiny pictures have to be, from 0 to 1. On flowers and CIFAR-10, all pairs above 0.92 that were looked
at show one photo; the first that don't are at 0.905. Simple pictures such as digits are more alike than that, so the
bar is raised for a set until few pairs pass it (`ALIKE_SHARE`)."""

ALIKE_SHARE: Final = 0.01
"""Pairs for each image above which the bar is raised, unless most of them stand the highest one: then the set really
is full of copies."""

_SAME_HASH: Final = 64
"""So many neighbours are compared among images of one and the same hash, which bounds the time for simple pictures."""
_AT_ONCE: Final = 1 << 16


@final
@dataclass(frozen=True)
class Similar:
    """Images that are the same, or nearly.

    Attributes:
        groups: Positions of images with equal bytes or equal pixels, sorted, two or more each.
        pairs: int64 (P, 2), near duplicates; of a group only the first image takes part.
        correlations: float64 (P,), how alike the tiny pictures of each pair are.
        bits: Bits in which the hashes of near duplicates may differ.
        bar: The correlation that was asked for, of CORRELATIONS.
    """

    groups: tuple[tuple[int, ...], ...]
    pairs: np.ndarray
    correlations: np.ndarray
    bits: int
    bar: float


def find_similar(scan: Scan, bits: int) -> Similar:
    """Find equal images, and those whose hashes differ in `bits` bits at most and whose tiny pictures are alike."""
    readable = scan.readable
    _, inverse = np.unique(scan.rows["pixels"][readable], return_inverse=True)
    groups = [tuple(readable[group].tolist()) for group in _groups_of_equal(inverse)]
    copies = {position for group in groups for position in group[1:]}
    textured = readable[scan.rows["spread"][readable] >= BLANK_SPREAD]
    single = np.array([position for position in textured.tolist() if position not in copies], dtype=np.int64)
    pairs = single[_near_positions(scan.rows["hash"][single], bits)]
    correlations = _correlations(scan.rows["tiny"], pairs)
    bar = _bar(correlations, len(single))
    kept = correlations >= bar
    return Similar(tuple(sorted(groups)), pairs[kept], correlations[kept], bits, bar)


def connected(pairs: np.ndarray) -> list[tuple[int, ...]]:
    """The positions that are joined by pairs, directly or over others: sorted tuples, sorted."""
    parents: dict[int, int] = {}

    def find(position: int) -> int:
        while (parent := parents.setdefault(position, position)) != position:
            parents[position] = parents[parent]
            position = parent
        return position

    for first, second in pairs.tolist():
        low, high = sorted((find(first), find(second)))
        parents[high] = low
    members: dict[int, list[int]] = {}
    for position in sorted(parents):
        members.setdefault(find(position), []).append(position)
    return sorted(tuple(group) for group in members.values())


def _groups_of_equal(numbers: np.ndarray) -> Iterator[np.ndarray]:
    """Positions of each number that occurs more than once."""
    order = np.argsort(numbers, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1)
    return (part for part in parts if len(part) > 1)


def _near_positions(hashes: np.ndarray, bits: int) -> np.ndarray:
    """Pairs of near hashes, int64 (P, 2). Different hashes are compared once, however many images have them."""
    distinct, firsts, inverse = np.unique(hashes, return_index=True, return_inverse=True)
    found = [firsts[near_pairs(distinct, bits)]]
    for part in _groups_of_equal(inverse):
        found += [np.stack([part[:-step], part[step:]], axis=1) for step in range(1, min(len(part), _SAME_HASH + 1))]
    return np.sort(np.concatenate(found), axis=1)


def _correlations(tiny: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Pearson's, of the tiny pictures of each pair."""
    result = np.empty(len(pairs))
    for start in range(0, len(pairs), _AT_ONCE):
        piece = slice(start, start + _AT_ONCE)
        first, second = (_centred(tiny[pairs[piece, side]]) for side in (0, 1))
        products = np.einsum("ij,ij->i", first, second)
        norms = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
        result[piece] = products / np.maximum(norms, np.finfo(np.float32).tiny)
    return result


def _centred(tiny: np.ndarray) -> np.ndarray:
    values = tiny.astype(np.float32)
    return np.asarray(values - values.mean(axis=1, keepdims=True))


def _bar(correlations: np.ndarray, images: int) -> float:
    highest = int((correlations >= CORRELATIONS[-1]).sum())
    for bar in CORRELATIONS:
        count = int((correlations >= bar).sum())
        if count <= max(ALIKE_SHARE * images, 2 * highest, 10):
            return bar
    return CORRELATIONS[-1]
