import numpy as np
import pytest
import torch

from vernier.data.feed_base import Feed
from vernier.data.progressive_feed import ProgressiveFeed


class Numbered(Feed):
    """Gives its number and the epoch for every position."""

    def __init__(self, number, callers, samples_at_once):
        self.number, self.callers, self.samples_at_once = number, callers, samples_at_once

    def batch(self, positions, epoch):
        return torch.tensor([[self.number, epoch, position] for position in positions.tolist()])


def test_each_feed_has_its_epochs():
    feed = ProgressiveFeed([Numbered(n, 2, 512) for n in range(3)], (2, 3, 6))
    rows = [feed.batch(np.array([7, 4]), epoch).tolist() for epoch in range(8)]
    turns = [0, 0, 1, 2, 2, 2, 2, 2]
    assert rows == [[[turn, epoch, 7], [turn, epoch, 4]] for epoch, turn in enumerate(turns)]


@pytest.mark.parametrize("turned", [False, True])
def test_callers_are_served_as_the_most_demanding_feed_can(turned):
    feeds = [Numbered(0, 2, 128), Numbered(1, 1, 512)]
    feed = ProgressiveFeed(feeds[::-1] if turned else feeds, (1, 2))
    assert (feed.callers, feed.samples_at_once) == (1, 128)
