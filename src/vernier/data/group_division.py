"""Groups of samples dealt out to parts, so that every part has its share of every class."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np

from vernier.data.stratify import hash_ranks

_MISSING: Final = 1e6
"""What a class that is missing from a part costs, beside square deviations of shares."""
_EXCESS: Final = 1e3
_LEAST_GAIN: Final = 1e-9
_GRID: Final = 2.0**24
"""Shares are rounded to fractions of this: sums of their products are then exact, in whatever order they are added."""
_MOST_STEPS: Final = 500
_MOST_CELLS: Final = 4_000_000
"""Of the tables that are looked at for one step, groups x classes."""
_MOST_SWAPPED: Final = 400
"""Groups that are tried in pairs."""
_PAIRS_TRIED: Final = 50


def draw_groups(
    keys: Sequence[str], targets: np.ndarray, groups: Sequence[str], share: float, seed: int, purpose: str
) -> np.ndarray:
    """Draw whole groups with about `share` of the samples, of each class about the same share.

    The number of samples drawn is off by at most the largest group, where that leaves every class in both parts.
    Which groups those are is a pure function of (keys, targets, groups, share, seed, purpose).

    Args:
        keys: Names of the N samples, all different.
        targets: int64 (N,), or uint8 (N, L) of 0 and 1.
        groups: What each sample belongs to, N names.
        share: Between 0 and 1, both excluded.
        seed: Any seed from 0.
        purpose: Draws for other purposes are independent.

    Returns:
        bool (N,): the samples drawn. A class may be missing from a part when no division without was found.
    """
    ranks = hash_ranks(keys, seed, purpose)
    # A class of one group stays, so that it can be trained on.
    drawn: np.ndarray = _divide(ranks, targets, groups, np.array([1 - share, share]), np.array([1, 2])) == 1
    return drawn


def draw_group_folds(
    keys: Sequence[str], targets: np.ndarray, groups: Sequence[str], folds: int, seed: int
) -> np.ndarray:
    """Divide whole groups into folds that are alike, see `draw_groups`; int64 (N,) from 0 to folds - 1."""
    ranks = hash_ranks(keys, seed, "folds")
    return _divide(ranks, targets, groups, np.full(folds, 1 / folds), np.full(folds, folds))


def _divide(
    ranks: np.ndarray, targets: np.ndarray, groups: Sequence[str], shares: np.ndarray, needed_from: np.ndarray
) -> np.ndarray:
    """The part of each sample, int64 (N,): dealt out from large groups to small, then moved and swapped.

    Args:
        needed_from: int64 (P,), how many groups hold a class that a part must not miss, at least.
    """
    of_group, numbers = _by_rank(groups, ranks)
    counts = _class_counts(targets, of_group, numbers, ranks)
    needed = (counts > 0).sum(axis=0) >= needed_from[:, None]
    division = _Division(counts, np.bincount(of_group), shares, needed)
    division.deal()
    division.improve()
    parts: np.ndarray = division.part[of_group]
    return parts


def _by_rank(groups: Sequence[str], ranks: np.ndarray) -> tuple[np.ndarray, int]:
    """The group of each sample, numbered in the order of their first samples' ranks, and how many there are."""
    numbers: dict[str, int] = {}
    of_group = np.empty(len(groups), np.int64)
    for sample in np.argsort(ranks):
        of_group[sample] = numbers.setdefault(groups[sample], len(numbers))
    return of_group, len(numbers)


def _class_counts(targets: np.ndarray, of_group: np.ndarray, groups: int, ranks: np.ndarray) -> np.ndarray:
    """Samples of each class in each group, int64 (G, C); classes in the order of their first samples' ranks."""
    order = np.argsort(ranks)
    samples, classes = (order, targets[order]) if targets.ndim == 1 else np.nonzero(targets[order])
    samples = samples if targets.ndim == 1 else order[samples]
    names, first, column = np.unique(classes, return_index=True, return_inverse=True)
    place = np.empty(len(names), np.int64)
    place[np.argsort(first)] = np.arange(len(names))
    counts = np.zeros((groups, len(names)), np.int64)
    np.add.at(counts, (of_group[samples], place[column]), 1)
    return counts


@final
@dataclass
class _Division:
    """Groups in parts, and what each part holds.

    The cost is, in the order of what matters: classes missing from parts that need them; samples beyond a part's
    share by more than the largest group; the mean square by which parts miss their shares of the classes, and of
    the samples.

    Attributes:
        counts: int64 (G, C), samples of each class in each group.
        sizes: int64 (G,), samples of each group.
        shares: float64 (P,), what each part is to hold; their sum is 1.
        needed: bool (P, C), whether a part needs a class.
    """

    counts: np.ndarray
    sizes: np.ndarray
    shares: np.ndarray
    needed: np.ndarray

    def __post_init__(self) -> None:
        parts, classes = self.needed.shape
        self.part = np.full(len(self.sizes), -1)
        self.held = np.zeros((parts, classes), np.int64)
        self.held_sizes = np.zeros(parts, np.int64)
        scaled = self.counts / (self.counts.sum(axis=0) * np.sqrt(max(classes, 1)))
        self.features = _on_grid(np.concatenate([scaled, self.sizes[:, None] / self.sizes.sum()], axis=1))
        self.deviation = _on_grid(-self.shares[:, None] * self.features.sum(axis=0))

    def deal(self) -> None:
        """Put every group where most of what it has is wanted: large groups first, which are hard to place."""
        scale = np.frexp(self.sizes)[1]
        for group in np.argsort(-scale, kind="stable"):
            self._put(int(group), int(np.argmin(self.deviation @ self.features[group])))

    def improve(self) -> None:
        """Move single groups and swap pairs as long as that makes the division better."""
        for _ in range(_MOST_STEPS):
            if not self._move_one() and not self._swap_two():
                return

    def _put(self, group: int, part: int) -> None:
        if (old := int(self.part[group])) >= 0:
            self.held[old] -= self.counts[group]
            self.held_sizes[old] -= self.sizes[group]
            self.deviation[old] -= self.features[group]
        self.part[group] = part
        self.held[part] += self.counts[group]
        self.held_sizes[part] += self.sizes[group]
        self.deviation[part] += self.features[group]

    def _move_one(self) -> bool:
        """Make the best move, if any is for the better."""
        rows = slice(max(1, _MOST_CELLS // self.features.shape[1]))
        part, features, sizes, there = self.part[rows], self.features[rows], self.sizes[rows], self.counts[rows] > 0
        every = np.arange(len(part))
        along = features @ self.deviation.T
        squares = (features**2).sum(axis=1)
        cost = 2 * (squares[:, None] - along[every, part][:, None] + along)
        cost += _EXCESS * (
            (self._excess(-sizes)[every, part] - self._excess(0)[0, part])[:, None]
            + self._excess(sizes)
            - self._excess(0)
        )
        last = there & self.needed[part] & (self.held[part] == self.counts[rows])
        absent = (self.needed & (self.held == 0)).T
        cost += _MISSING * (last.sum(axis=1)[:, None] - there.astype(float) @ absent)
        cost[every, part] = 0.0
        group, target = divmod(int(np.argmin(cost)), len(self.shares))
        if cost[group, target] >= -_LEAST_GAIN:
            return False
        self._put(group, target)
        return True

    def _excess(self, added: np.ndarray | int) -> np.ndarray:
        """By how much parts miss their number of samples beyond the largest group, as a share of all; (n, P).

        Args:
            added: To every part, (n,).
        """
        total, largest = self.sizes.sum(), self.sizes.max()
        off = np.abs(self.held_sizes + np.reshape(added, (-1, 1)) - self.shares * total)
        beyond: np.ndarray = np.maximum(off - largest, 0) / total
        return beyond

    def _swap_two(self) -> bool:
        """Make the first of the best swaps that is for the better in all."""
        part, features = self.part[:_MOST_SWAPPED], self.features[:_MOST_SWAPPED]
        along = features @ self.deviation.T
        squares = (features**2).sum(axis=1)
        distance = squares[:, None] + squares - 2 * features @ features.T
        own = along[np.arange(len(part)), part]
        there = along[:, part]
        gain = 2 * (distance - own[:, None] - own + there + there.T)
        gain[part[:, None] == part] = 0.0
        for pair in np.argsort(gain, axis=None, kind="stable")[:_PAIRS_TRIED]:
            first, second = divmod(int(pair), len(part))
            if gain[first, second] >= -_LEAST_GAIN:
                return False
            if self._swapped(first, second):
                return True
        return False

    def _swapped(self, first: int, second: int) -> bool:
        """Swap two groups, and back again if a class is missing then, or a part is too large."""
        before = self._violations()
        one, other = int(self.part[first]), int(self.part[second])
        self._put(first, other)
        self._put(second, one)
        if self._violations() <= before:
            return True
        self._put(first, one)
        self._put(second, other)
        return False

    def _violations(self) -> tuple[int, float]:
        missing = np.count_nonzero(self.needed & (self.held == 0))
        return int(missing), float(self._excess(0).sum())


def _on_grid(values: np.ndarray) -> np.ndarray:
    rounded: np.ndarray = np.round(values * _GRID) / _GRID
    return rounded
