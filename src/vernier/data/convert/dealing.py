"""How the images of a split are dealt out to its shards."""

from collections.abc import Sequence

import numpy as np

from vernier.data.stratify import hash_ranks


def deal(keys: Sequence[str], targets: np.ndarray, shards: int, seed: int) -> list[np.ndarray]:
    """Positions in each shard, in the order in which they are written.

    Every shard has each class's share of images within one, and the same number of images within one. Its images are
    shuffled, so whoever streams it sees all classes from the start. All of it follows from (keys, targets, seed).

    Args:
        keys: Names of N images, at least one, all different.
        targets: int64 (N,), or uint8 (N, L) of 0 and 1.
        shards: At least 1; no shard is empty.
        seed: Any seed from 0.
    """
    ranks = hash_ranks(keys, seed, "shards")
    labels = targets.reshape(len(keys), -1).T[::-1]
    dealt = np.lexsort((ranks, *labels))
    order = hash_ranks(keys, seed, "order")
    hands = (dealt[number::shards] for number in range(min(shards, len(keys))))
    return [hand[np.argsort(order[hand])] for hand in hands]
