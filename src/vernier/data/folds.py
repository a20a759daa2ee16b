"""Samples divided into folds, each of which validates once."""

from collections.abc import Sequence

import numpy as np

from vernier.data.stratify import deal_labels, hash_ranks


def draw_folds(keys: Sequence[str], targets: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Divide samples into parts that are alike.

    Any two folds differ by at most one sample of each class, and by one sample in all. Multilabel samples are
    dealt out by iterative stratification (Sechidis, Tsoumakas & Vlahavas 2011). Which sample is in which fold is a
    pure function of (keys, targets, folds, seed).

    Args:
        keys: Names of the N samples, all different.
        targets: int64 (N,), or uint8 (N, L) of 0 and 1.
        folds: 2 or more.
        seed: Any seed from 0.

    Returns:
        int64 (N,): from 0 to folds - 1.
    """
    ranks = hash_ranks(keys, seed, "folds")
    return _deal(ranks, targets, folds) if targets.ndim == 1 else _deal_multilabel(ranks, targets, folds)


def _deal(ranks: np.ndarray, targets: np.ndarray, folds: int) -> np.ndarray:
    """Class after class, one sample to each fold in turn; the next class goes on where the last one stopped."""
    # Classes in the order of their first hash, so that their numbers do not matter.
    first = np.full(int(targets.max(initial=-1)) + 1, len(ranks))
    np.minimum.at(first, targets, ranks)
    parts = np.empty(len(ranks), np.int64)
    parts[np.lexsort((ranks, first[targets]))] = np.arange(len(ranks)) % folds
    return parts


def _deal_multilabel(ranks: np.ndarray, targets: np.ndarray, folds: int) -> np.ndarray:
    positive = targets.astype(bool)
    wants = np.tile(positive.sum(axis=0) / folds, (folds, 1))
    sizes = np.full(folds, len(ranks) / folds)
    order = np.argsort(ranks)
    parts = deal_labels(order, positive, wants, sizes)
    for sample in order[parts[order] < 0]:
        parts[sample] = sizes.argmax()
        sizes[parts[sample]] -= 1
    return parts
