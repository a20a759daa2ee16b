"""A feed whose augmentation repeats."""

from typing import final

import numpy as np
import torch

from vernier.data.feed_base import Feed


@final
class ViewsFeed(Feed):
    """Another feed with the draws of its first epochs over and over: epoch e has those of epoch e mod `views`.

    Args:
        feed: Where the samples come from.
        views: At least 1.
    """

    def __init__(self, feed: Feed, views: int) -> None:
        self._feed, self._views = feed, views
        # What holds for callers of the other feed holds for ours.
        self.callers, self.samples_at_once = feed.callers, feed.samples_at_once

    def batch(self, positions: np.ndarray, epoch: int) -> torch.Tensor:
        """See `Feed.batch`."""
        return self._feed.batch(positions, epoch % self._views)
