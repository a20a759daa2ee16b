"""Training batches, prepared ahead of the training thread."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Final

import numpy as np
import torch

from vernier.augment.workers import give_way
from vernier.data.feed_base import Feed
from vernier.data.order import BatchOrder, rank_share

_AHEAD: Final = 3


@dataclass(frozen=True)
class Mixed:
    """The second labels of images that were mixed in pairs.

    Attributes:
        targets: Of the partners, as the task's loss takes them, n rows.
        share: How much of each mixed image is its own: the loss is share * loss(own) + (1 - share) * loss(partner's).
    """

    targets: torch.Tensor
    share: float


@dataclass(frozen=True)
class Batch:
    """One process's part of a global batch.

    Attributes:
        images: float32 (n, C, H, W), n at least 1.
        targets: What the task's loss takes, n rows.
        weights: float32 (n,): 1, or 0 for a stand-in image when this process has no sample of the batch.
        positions: int64 (n,), places of the samples in the source.
        global_count: Samples of the batch over all processes.
        mixed: What `images` were mixed with, if they were.
    """

    images: torch.Tensor
    targets: torch.Tensor
    weights: torch.Tensor
    positions: np.ndarray
    global_count: int
    mixed: Mixed | None = None


@dataclass
class Waiting:
    """How long the training thread has waited for batches, in seconds, since the loader was made."""

    seconds: float = 0.0


@dataclass(frozen=True)
class TrainLoader:
    """Batches the training samples of one process.

    Attributes:
        positions: int64 (count,), places of the training samples in the source.
        targets: Targets of all samples of the source, as the task's loss takes them.
        threads: 0 prepares each batch in the training thread, otherwise some are prepared ahead.
        niceness: By how much the threads that prepare give way to others.
        waiting: Counts the time that the training thread spends without a batch.
    """

    feed: Feed
    positions: np.ndarray
    targets: torch.Tensor
    order: BatchOrder
    threads: int
    rank: int = 0
    world_size: int = 1
    niceness: int = 0
    waiting: Waiting = field(default_factory=Waiting)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch from number `start` on."""
        jobs = (partial(self._batches, epoch, numbers) for numbers in self._pieces(start))
        results = map(_call, jobs) if self.threads == 0 else self._prefetch(jobs)
        return (batch for batches in _timed(results, self.waiting) for batch in batches)

    def batch(self, epoch: int, number: int) -> Batch:
        """One batch of an epoch."""
        return self._batches(epoch, range(number, number + 1))[0]

    def _pieces(self, start: int) -> Iterator[range]:
        """The numbers of batches that are asked for together: few at first, so that training begins."""
        stop, count = self.order.steps_per_epoch, 1
        while start < stop:
            yield range(start, min(start + count, stop))
            start += count
            count = min(2 * count, max(1, self.feed.samples_at_once // self.order.batch_size))

    def _batches(self, epoch: int, numbers: range) -> list[Batch]:
        """Neighbouring batches of an epoch, asked for at once: no row depends on another."""
        wholes = [self.positions[self.order.batch(epoch, number)] for number in numbers]
        shares = wholes
        if self.world_size > 1:
            shares = [rank_share(whole, self.rank, self.world_size) for whole in wholes]
        # A process without a sample still takes part in the exchange of gradients, with a weight of 0.
        held = [share if len(share) else whole[:1] for share, whole in zip(shares, wholes, strict=True)]
        positions = np.concatenate(held)
        lengths = [len(part) for part in held]
        images = torch.split(self.feed.batch(positions, epoch), lengths)
        targets = torch.split(self.targets.index_select(0, torch.from_numpy(positions)), lengths)
        weights = [torch.full((len(part),), float(len(share) > 0)) for part, share in zip(held, shares, strict=True)]
        return list(map(Batch, images, targets, weights, held, map(len, wholes)))

    def _prefetch(self, jobs: Iterator[Callable[[], list[Batch]]]) -> Iterator[list[Batch]]:
        """Run the jobs in threads, `_AHEAD` of them before they are asked for; results in order."""
        callers = min(self.threads, self.feed.callers)
        with ThreadPoolExecutor(callers, "vernier-loader", initializer=give_way, initargs=(self.niceness,)) as pool:
            pending: deque[Future[list[Batch]]] = deque(map(pool.submit, islice(jobs, _AHEAD)))
            try:
                while pending:
                    batches = pending.popleft().result()
                    pending.extend(map(pool.submit, islice(jobs, 1)))
                    yield batches
            finally:
                pool.shutdown(cancel_futures=True)


def _call(job: Callable[[], list[Batch]]) -> list[Batch]:
    return job()


def _timed(results: Iterable[list[Batch]], waiting: Waiting) -> Iterator[list[Batch]]:
    """The results, with the time that each of them took to come counted."""
    begin = time.perf_counter()
    for result in results:
        waiting.seconds += time.perf_counter() - begin
        yield result
        begin = time.perf_counter()
