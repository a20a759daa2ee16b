"""A feed whose images grow in the course of a training."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import final

import numpy as np
import torch

from vernier.data.feed_base import Feed


@final
class ProgressiveFeed(Feed):
    """Other feeds one after the other: which one it is depends on the epoch alone.

    Args:
        feeds: In the order of their epochs.
        ends: For each feed the epoch, from 0, from which on the next one has its turn; ascending.
    """

    def __init__(self, feeds: Sequence[Feed], ends: Sequence[int]) -> None:
        self._feeds, self._ends = feeds, ends
        self.callers = min(feed.callers for feed in feeds)
        self.samples_at_once = min(feed.samples_at_once for feed in feeds)

    def batch(self, positions: np.ndarray, epoch: int) -> torch.Tensor:
        """See `Feed.batch`."""
        # Who looks beyond the training's end, for measuring, sees the last feed.
        turn = min(bisect_right(self._ends, epoch), len(self._feeds) - 1)
        return self._feeds[turn].batch(positions, epoch)
