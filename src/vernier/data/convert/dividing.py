"""Any number of splits drawn at once: stratified, seeded, and independent of the order of the images."""

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from vernier.data.group_division import draw_groups
from vernier.data.stratify import deal_labels, hash_ranks

_PURPOSE = "convert"


def divide(keys: Sequence[str], targets: np.ndarray, shares: Sequence[Fraction], seed: int) -> np.ndarray:
    """The number of each sample's split, int64 (N,).

    Each class is divided by the shares; a split has its share of a class rounded up or down, and the roundings of all
    classes make up for each other. A class with as many images as there are splits has at least one in each.

    Args:
        keys: Names of the N samples, all different.
        targets: int64 (N,); or uint8 (N, L) of 0 and 1, which are divided by iterative stratification.
        shares: Make 1; a split whose share is 0 stays empty.
        seed: Any seed from 0.
    """
    if targets.ndim == 2:
        return _divide_multilabel(keys, targets, shares, seed)
    ranks = hash_ranks(keys, seed, _PURPOSE)
    order = np.lexsort((ranks, targets))
    members = np.split(order, np.flatnonzero(np.diff(targets[order])) + 1)
    # Which class is rounded first has nothing to do with its number.
    members.sort(key=lambda positions: int(ranks[positions[0]]))
    parts = np.empty(len(keys), dtype=np.int64)
    for positions, counts in zip(members, apportion([len(p) for p in members], shares), strict=True):
        parts[positions] = np.repeat(np.arange(len(shares)), counts)
    return parts


def divide_groups(
    keys: Sequence[str], targets: np.ndarray, groups: Sequence[str], shares: Sequence[Fraction], seed: int
) -> np.ndarray:
    """As `divide`, but no group is in two splits; shares and classes are met as nearly as whole groups allow.

    Args:
        keys, targets, shares, seed: See `divide`.
        groups: What each sample belongs to, N names.
    """
    parts = np.full(len(keys), -1)
    left = Fraction(1)
    for split, share in enumerate(shares):
        rest = np.flatnonzero(parts < 0)
        if share == left:
            parts[rest] = split
            break
        if share:
            names, its_groups = [keys[i] for i in rest.tolist()], [groups[i] for i in rest.tolist()]
            purpose = f"{_PURPOSE}/{split}"
            drawn = draw_groups(names, targets[rest], its_groups, float(share / left), seed, purpose)
            parts[rest[drawn]] = split
        left -= share
    return parts


def apportion(sizes: Sequence[int], shares: Sequence[Fraction]) -> list[list[int]]:
    """How many of each class every split gets.

    Shares are rounded up for the splits that are furthest behind over the classes so far.
    """
    behind = [Fraction(0)] * len(shares)
    rows = []
    for size in sizes:
        quotas = [share * size for share in shares]
        counts = [math.floor(quota) for quota in quotas]
        behind = [b + quota - count for b, quota, count in zip(behind, quotas, counts, strict=True)]
        partial = [split for split, quota in enumerate(quotas) if quota.denominator > 1]
        for split in sorted(partial, key=lambda split: -behind[split])[: size - sum(counts)]:
            counts[split] += 1
            behind[split] -= 1
        rows.append(_at_least_one(counts, shares))
    return rows


def _at_least_one(counts: Sequence[int], shares: Sequence[Fraction]) -> list[int]:
    """An image for every split, as far as they go: the largest shares first."""
    size, filled = sum(counts), list(counts)
    wanted = sorted((split for split, share in enumerate(shares) if share), key=lambda split: -shares[split])
    for split in wanted[:size]:
        if not filled[split]:
            filled[split] = 1
            filled[_most_to_spare(filled, shares, split, wanted[:size])] -= 1
    return filled


def _most_to_spare(counts: Sequence[int], shares: Sequence[Fraction], taker: int, wanted: Sequence[int]) -> int:
    """The split that is furthest above its share and can do without an image."""
    size = sum(counts) - 1
    givers = [s for s in range(len(counts)) if s != taker and counts[s] > (1 if s in wanted else 0)]
    return max(givers, key=lambda split: counts[split] - shares[split] * size)


def _divide_multilabel(keys: Sequence[str], targets: np.ndarray, shares: Sequence[Fraction], seed: int) -> np.ndarray:
    """By iterative stratification (Sechidis, Tsoumakas & Vlahavas 2011); samples without a label fill up the splits."""
    portions = np.array([float(share) for share in shares])
    used = np.flatnonzero(portions)
    totals = targets.sum(axis=0, dtype=np.float64)
    wants = np.outer(portions[used], totals)
    wants = np.where(totals >= len(used), np.maximum(wants, 1.0), wants)
    sizes = portions[used] * len(keys)
    order = np.argsort(hash_ranks(keys, seed, _PURPOSE))
    parts = deal_labels(order, targets.astype(bool), wants, sizes)
    for sample in order[parts[order] < 0]:
        parts[sample] = sizes.argmax()
        sizes[parts[sample]] -= 1
    divided: np.ndarray = used[parts]
    return divided
