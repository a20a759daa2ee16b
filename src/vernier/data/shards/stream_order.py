"""The order of samples that are streamed: random, but few shards are open at any time."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import final

import numpy as np

from vernier.augment.randomness import permutation, uniform


@final
@dataclass(frozen=True, eq=False)
class StreamOrder:
    """Every sample once an epoch, `window` shards open at once, and shards of its own for each process.

    All shards stand in a line in random order, the samples of each in random order. The line is cut into one piece for
    each process, as long as its parts of all batches together; a shard at a cut is read by both neighbours. Within a
    piece, shard k is open from time k - window + 1 (at least 0) to time k + 1 (at most its last window's), and its
    samples come at random times while it is open. So `window` shards are open at any time, and the piece's whole order
    is one sort.

    Attributes:
        shards: int64 (count,), the shard that each sample lies in.
        window: Shards that are open at once in one process.
        processes: That share each batch.
        seed: Of every draw.
    """

    shards: np.ndarray
    window: int
    processes: int
    seed: int

    def epoch(self, epoch: int, batch_lengths: Sequence[int]) -> np.ndarray:
        """The samples of an epoch, int64 (count,), batch after batch, in each batch process after process.

        Args:
            epoch: From 0.
            batch_lengths: Samples of each batch; their sum is count.
        """
        chance = uniform(self.seed, epoch, np.arange(len(self.shards)), "stream", 2)
        names, shards = np.unique(self.shards, return_inverse=True)
        turns = np.argsort(permutation(self.seed, epoch, len(names)))[shards]
        line = np.lexsort((chance[:, 0], turns))
        owners = np.concatenate([_owners(length, self.processes) for length in batch_lengths])
        # Stable: the places of the first process in their order, then those of the second.
        places = np.argsort(owners, kind="stable")
        cuts = np.cumsum(np.bincount(owners, minlength=self.processes))[:-1]
        pieces = [_windowed(piece, turns, chance[:, 1], self.window) for piece in np.split(line, cuts)]
        order = np.empty_like(line)
        order[places] = np.concatenate(pieces)
        return order


@lru_cache(maxsize=4)
def _owners(length: int, processes: int) -> np.ndarray:
    """Which process has each sample of a batch; int64 (length,), as `rank_share` divides it."""
    return np.repeat(np.arange(processes), [len(part) for part in np.array_split(np.arange(length), processes)])


def _windowed(piece: np.ndarray, turns: np.ndarray, chance: np.ndarray, window: int) -> np.ndarray:
    """One process's samples, int64 (n,), drawn among `window` open shards at a time.

    Args:
        piece: int64 (n,), shard after shard.
        turns: int64 (count,), when the shard of each sample comes.
        chance: float64 (count,), in [0, 1).
    """
    opened, shards = np.unique(turns[piece], return_inverse=True)
    open_at_once = min(window, len(opened))
    begin = np.maximum(0, shards - open_at_once + 1)
    end = np.minimum(shards + 1, len(opened) - open_at_once + 1)
    return piece[np.argsort(begin + chance[piece] * (end - begin), kind="stable")]
