"""A few of the training images, for what needs examples: calibration, quantization."""

from collections.abc import Sequence

import numpy as np

from vernier.data.sampling import largest_remainder, sampling_labels
from vernier.data.stratify import hash_ranks


def draw_subset(
    positions: np.ndarray,
    targets: np.ndarray,
    keys: Sequence[str],
    share_or_count: float | int,
    seed: int,
    purpose: str,
) -> np.ndarray:
    """Draw some of the samples at `positions`, and no others, in the proportions of their classes.

    The number of each class is its share rounded by largest remainder; every class has one at least if there are so
    many. Samples with several labels count for the rarest one. A larger subset holds all that is in a smaller one but
    for rounding. Which samples those are is a pure function of (their keys, their targets, seed, purpose).

    Args:
        positions: int64 (n,), places in the source: the train part of a split.
        targets: Of all samples of the source, int64 (N,) or uint8 (N, L) of 0 and 1.
        keys: Of all samples of the source, N names.
        share_or_count: As a float the share of `positions`, above 0 and up to 1; as an int a number from 1, of which
            as many are drawn as there are.
        seed: Any seed from 0.
        purpose: Draws for other purposes are independent.

    Returns:
        int64 (m,), sorted, at least one if there are any.
    """
    if len(positions) == 0:
        return positions
    labels = sampling_labels(targets[positions])
    ranks = hash_ranks([keys[position] for position in positions], seed, purpose)
    count = max(1, round(share_or_count * len(positions))) if isinstance(share_or_count, float) else share_or_count
    quotas = _quotas(labels, ranks, min(count, len(positions)))
    order = np.lexsort((ranks, labels))
    starts = np.searchsorted(labels[order], np.arange(len(quotas)))
    of_class = labels[order]
    drawn = order[np.arange(len(order)) - starts[of_class] < quotas[of_class]]
    return np.sort(positions[drawn])


def _quotas(labels: np.ndarray, ranks: np.ndarray, count: int) -> np.ndarray:
    """How many of each class are drawn, int64 (C,); of equal classes the one with the first rank has more."""
    sizes = np.bincount(labels)
    first = np.full(len(sizes), len(ranks))
    np.minimum.at(first, labels, ranks)
    order = np.argsort(first, kind="stable")
    quotas = np.zeros(len(sizes), np.int64)
    least = (sizes[order] > 0).astype(np.int64) if count >= np.count_nonzero(sizes) else np.zeros(len(sizes), np.int64)
    exact = sizes[order] / sizes.sum() * count
    above = np.maximum(exact - least, 0)
    rest = count - int(least.sum())
    quotas[order] = least + (largest_remainder(above, rest) if rest else 0)
    return quotas
