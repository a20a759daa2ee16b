"""Images that come several times an epoch, augmented anew each time."""

from typing import Final, final

import numpy as np
import torch

from vernier.data.feed_base import Feed

_REPEAT: Final = 2**40
"""More than there are images."""
_FAR: Final = 2**32
"""More than there are epochs."""


@final
class RepeatsFeed(Feed):
    """Another feed, in which an image that comes again has the draws of an epoch far beyond the training.

    Without it an image would come out the same each time, because draws are a function of epoch and image.

    Args:
        feed: Where the samples come from. It looks at the epoch for its draws alone.
    """

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        # What holds for callers of the other feed holds for ours.
        self.callers, self.samples_at_once = feed.callers, feed.samples_at_once

    def batch(self, positions: np.ndarray, epoch: int) -> torch.Tensor:
        """See `Feed.batch`; positions that come again as `with_repeats` makes them."""
        repeats, plain = np.divmod(positions, _REPEAT)
        if not repeats.any():
            return self._feed.batch(positions, epoch)
        groups = [(int(number), np.flatnonzero(repeats == number)) for number in np.unique(repeats)]
        parts = [self._feed.batch(plain[rows], epoch + number * _FAR) for number, rows in groups]
        places = np.argsort(np.concatenate([rows for _, rows in groups]))
        samples = torch.cat(parts).index_select(0, torch.from_numpy(places).to(parts[0].device))
        return samples.contiguous(memory_format=torch.channels_last) if samples.ndim == 4 else samples


def with_repeats(positions: np.ndarray, repeats: np.ndarray | None) -> np.ndarray:
    """Positions that tell how many times each image has come before; int64 (n,).

    Args:
        repeats: From 0, int64 (n,); None for none.
    """
    return positions if repeats is None else positions + repeats * _REPEAT


def without_repeats(positions: np.ndarray) -> np.ndarray:
    """The plain positions again."""
    return positions % _REPEAT
