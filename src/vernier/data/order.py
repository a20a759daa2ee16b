"""Which samples make which batch: a pure function of (seed, epoch, step)."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from vernier.augment.randomness import permutation
from vernier.data.sampling import ClassSampler
from vernier.data.shards.stream_order import StreamOrder


@dataclass(frozen=True)
class BatchOrder:
    """The batches of every epoch over `count` samples.

    Every sample is in exactly one batch an epoch, unless a sampler draws them. When a single sample would be left
    over for the last batch, the batch before it takes it along, because BatchNorm has no variance over one image.

    Attributes:
        limit: At most this many batches an epoch (for `train.fast_dev_run`); 0 is no limit.
        sampler: Draws the samples of an epoch by class; its `count` and seed are those here.
        alike: Every epoch is as the first one (for `train.overfit_batches`).
        stream: Orders samples that are streamed, shard by shard; its samples and seed are those here. Without sampler.
    """

    count: int
    batch_size: int
    seed: int
    limit: int = 0
    sampler: ClassSampler | None = None
    alike: bool = False
    stream: StreamOrder | None = None

    @property
    def batches_per_epoch(self) -> int:
        """Number of batches of one epoch."""
        full, rest = divmod(self.count, self.batch_size)
        steps = full + (rest > 1 or (rest == 1 and full == 0))
        return min(steps, self.limit) if self.limit else steps

    def batch(self, epoch: int, number: int) -> np.ndarray:
        """Samples of one batch, int64 (n,), as places from 0 to count - 1.

        Args:
            epoch: From 0.
            number: Batch within the epoch, from 0.
        """
        return self._places(self._drawn_as(epoch))[self._slice(number)]

    def repeats(self, epoch: int, number: int) -> np.ndarray | None:
        """How many times each sample of a batch has come before in its epoch, int64 (n,); None for never."""
        epoch = self._drawn_as(epoch)
        return None if self.sampler is None else self.sampler.epoch(epoch).repeats[self._slice(number)]

    def _places(self, epoch: int) -> np.ndarray:
        """The samples of an epoch, int64 (count,)."""
        if self.sampler is not None:
            return self.sampler.epoch(epoch).places
        if self.stream is not None:
            return _streamed_order(self.stream, epoch, self.batch_size)
        return _epoch_order(self.seed, epoch, self.count)

    def _drawn_as(self, epoch: int) -> int:
        return 0 if self.alike else epoch

    def _slice(self, number: int) -> slice:
        start = number * self.batch_size
        stop = start + self.batch_size
        if self.batch_size > 1 and self.count - stop == 1:
            stop = self.count
        return slice(start, stop)


@lru_cache(maxsize=2)
def _epoch_order(seed: int, epoch: int, count: int) -> np.ndarray:
    return permutation(seed, epoch, count)


@lru_cache(maxsize=2)
def _streamed_order(stream: StreamOrder, epoch: int, batch_size: int) -> np.ndarray:
    count = len(stream.shards)
    whole = BatchOrder(count, batch_size, stream.seed)
    slices = (whole._slice(number) for number in range(whole.batches_per_epoch))
    return stream.epoch(epoch, [min(part.stop, count) - part.start for part in slices])


def rank_share(batch: np.ndarray, rank: int, world_size: int) -> np.ndarray:
    """One process's part of a global batch; parts differ by at most one sample and may be empty."""
    return np.array_split(batch, world_size)[rank]
