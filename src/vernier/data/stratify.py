"""Seeded stratified draws that do not depend on the order of the samples."""

import hashlib
import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np


def draw_stratified(
    keys: Sequence[str], targets: np.ndarray, share: float, seed: int, purpose: str, leave: int = 1
) -> np.ndarray:
    """Draw about `share` of the samples, the same share of each class.

    The numbers are rounded by largest remainder, so that a class is within one image of its share and the sum
    within half an image of the whole's; then every class gets at least one image and keeps at least `leave`.
    Which samples those are is a pure function of (keys, targets, seed, purpose): the samples of a class with
    the smallest hashes of their keys.

    Args:
        keys: Names of the N samples, at least one, all different.
        targets: int64 (N,) with more than `leave` samples of each class, or uint8 (N, L) of 0 and 1 for
            `draw_iterative`, which takes over then.
        share: Between 0 and 1, both excluded.
        seed: Any seed from 0.
        purpose: Draws for other purposes are independent.
        leave: How many samples of each class stay at least.

    Returns:
        bool (N,): the samples drawn.
    """
    ranks = hash_ranks(keys, seed, purpose)
    if targets.ndim == 2:
        return draw_iterative(ranks, targets, share)
    order = np.lexsort((ranks, targets))
    starts = np.flatnonzero(np.diff(targets[order])) + 1
    members = np.split(order, starts)
    drawn = np.zeros(len(keys), dtype=bool)
    # Classes in the order of their first hash: which class wins a tie then has nothing to do with its number.
    members.sort(key=lambda positions: int(ranks[positions[0]]))
    for positions, count in zip(members, _apportion([len(p) for p in members], share, leave), strict=True):
        drawn[positions[:count]] = True
    return drawn


def draw_iterative(ranks: np.ndarray, targets: np.ndarray, share: float) -> np.ndarray:
    """Draw about `share` of multilabel samples by iterative stratification.

    Sechidis, Tsoumakas & Vlahavas 2011, for two parts: labels are dealt out from the rarest on, each of its
    samples to the part that still wants most of this label. A label with two samples or more is wanted at
    least once in the part drawn; it can still miss it when rarer labels claim its samples. A label with one
    sample stays in the rest, unless a rarer label takes it along. Samples without a label fill up the number.

    Args:
        ranks: int64 (N,), the order in which the samples are dealt out.
        targets: uint8 (N, L) of 0 and 1.
        share: Between 0 and 1, both excluded.

    Returns:
        bool (N,): the samples drawn.
    """
    positive = targets.astype(bool)
    totals = positive.sum(axis=0).astype(float)
    wanted = np.where(totals >= 2, np.maximum(totals * share, 1.0), 0.0)
    sizes = np.array([len(ranks) * (1 - share), len(ranks) * share])
    order = np.argsort(ranks)
    part = deal_labels(order, positive, np.stack([totals - wanted, wanted]), sizes)
    unlabelled = order[part[order] < 0]
    count = min(len(unlabelled), max(0, _round(Fraction(float(sizes[1])))))
    part[unlabelled[:count]] = 1
    drawn: np.ndarray = part == 1
    return drawn


def deal_labels(order: np.ndarray, positive: np.ndarray, wants: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Deal samples with labels out to parts, label by label from the rarest on (see `draw_iterative`).

    Args:
        order: int64 (N,), samples in the order in which they are dealt out.
        positive: bool (N, L).
        wants: float64 (parts, L), samples of each label that a part still wants; counted down here.
        sizes: float64 (parts,), samples that a part still wants; counted down here.

    Returns:
        int64 (N,): the part of each sample, -1 for those without a label.
    """
    part = np.full(len(order), -1)
    while len(label_order := _labels_left(positive, part)):
        label = label_order[0]
        for sample in order[positive[order, label] & (part[order] < 0)]:
            choice = _neediest(wants[:, label], sizes)
            part[sample] = choice
            wants[choice] -= positive[sample]
            sizes[choice] -= 1
    return part


def _labels_left(positive: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Labels with samples that are not dealt out yet, the rarest first."""
    left: np.ndarray = positive[part < 0].sum(axis=0)
    order: np.ndarray = np.argsort(left, kind="stable")
    labels: np.ndarray = order[left[order] > 0]
    return labels


def _neediest(wants: np.ndarray, sizes: np.ndarray) -> int:
    """The part that wants most of a label; of equals, the one that wants most samples, else the first."""
    needs = list(zip(wants.tolist(), sizes.tolist(), strict=True))
    return needs.index(max(needs))


def hash_ranks(keys: Sequence[str], seed: int, purpose: str) -> np.ndarray:
    """int64 (N,): each sample's place in the order of the hashes of (seed, purpose, key)."""
    salt = f"{purpose}/{seed}/"
    names = ((salt + key).encode(errors="surrogateescape") for key in keys)
    hashes = [hashlib.blake2b(name, digest_size=16).digest() for name in names]
    ranks = np.empty(len(keys), dtype=np.int64)
    ranks[sorted(range(len(keys)), key=hashes.__getitem__)] = np.arange(len(keys))
    return ranks


def _apportion(sizes: Sequence[int], share: float, leave: int) -> list[int]:
    """How many of each class are drawn; of equal remainders the first class gets the image."""
    quotas = [Fraction(str(share)) * size for size in sizes]
    counts = [math.floor(quota) for quota in quotas]
    missing = _round(sum(quotas, Fraction(0))) - sum(counts)
    by_remainder = sorted(range(len(sizes)), key=lambda index: counts[index] - quotas[index])
    for index in by_remainder[:missing]:
        counts[index] += 1
    return [min(max(count, 1), size - leave) for count, size in zip(counts, sizes, strict=True)]


def _round(number: Fraction) -> int:
    return math.floor(number + Fraction(1, 2))
