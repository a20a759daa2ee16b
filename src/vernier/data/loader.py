"""Training batches, prepared ahead of the training thread."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Final, final

import numpy as np
import torch

from vernier.augment.mix import Mixer, Mixing
from vernier.augment.workers import give_way
from vernier.data.feed_base import Feed
from vernier.data.order import BatchOrder, rank_share
from vernier.data.repeats_feed import with_repeats, without_repeats

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
        weights: float32 (n,): what the losses are multiplied by; 0 for a stand-in image when this process has no
            sample of the batch.
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
        feed: With a sampler it takes positions `with_repeats`.
        positions: int64 (count,), places of the training samples in the source.
        targets: Targets of all samples of the source, as the task's loss takes them.
        threads: 0 prepares each batch in the training thread, otherwise some are prepared ahead.
        niceness: By how much the threads that prepare give way to others.
        mixer: Mixes the images of each batch in pairs.
        waiting: Counts the time that the training thread spends without a batch.
        sample_weights: Of all samples of the source, float32 (N,); None for 1.
        expect: Told the positions of this process's samples, in their order, before an epoch.
    """

    feed: Feed
    positions: np.ndarray
    targets: torch.Tensor
    order: BatchOrder
    threads: int
    rank: int = 0
    world_size: int = 1
    niceness: int = 0
    mixer: Mixer | None = None
    waiting: Waiting = field(default_factory=Waiting)
    sample_weights: np.ndarray | None = None
    expect: Callable[[np.ndarray], None] | None = None

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch from number `start` on."""
        if self.expect is not None:
            self.expect(self._own_positions(epoch, start))
        jobs = (partial(self._batches, epoch, numbers) for numbers in self._pieces(start))
        results = map(_call, jobs) if self.threads == 0 else self._prefetch(jobs)
        return (batch for batches in _timed(results, self.waiting) for batch in batches)

    def batch(self, epoch: int, number: int) -> Batch:
        """One batch of an epoch."""
        return self._batches(epoch, range(number, number + 1))[0]

    def _own_positions(self, epoch: int, start: int) -> np.ndarray:
        """What this process reads from batch `start` on, int64 (n,)."""
        batches = (self.order.batch(epoch, number) for number in range(start, self.order.batches_per_epoch))
        shares = [rank_share(batch, self.rank, self.world_size) for batch in batches]
        own: np.ndarray = self.positions[np.concatenate([*shares, np.empty(0, np.int64)])]
        return own

    def _pieces(self, start: int) -> Iterator[range]:
        """The numbers of batches that are asked for together: few at first, so that training begins."""
        stop, count = self.order.batches_per_epoch, 1
        while start < stop:
            yield range(start, min(start + count, stop))
            start += count
            count = min(2 * count, max(1, self.feed.samples_at_once // self.order.batch_size))

    def _batches(self, epoch: int, numbers: range) -> list[Batch]:
        """Neighbouring batches of an epoch, asked for at once: no row depends on another."""
        needs = [self._need(epoch, number) for number in numbers]
        asked = [need.whole[need.places] for need in needs]
        positions, lengths = np.concatenate(asked), list(map(len, asked))
        images = torch.split(self.feed.batch(positions, epoch), lengths)
        targets = torch.split(self.targets.index_select(0, torch.from_numpy(without_repeats(positions))), lengths)
        return list(map(self._batch, needs, images, targets))

    def _need(self, epoch: int, number: int) -> "_Need":
        whole = with_repeats(self.positions[self.order.batch(epoch, number)], self.order.repeats(epoch, number))
        rows = rank_share(np.arange(len(whole)), self.rank, self.world_size)
        mixing = None if self.mixer is None else self.mixer.draw(epoch, number, len(whole))
        # A process without a sample still takes part in the exchange of gradients, with a weight of 0.
        return _Need(whole, rows if len(rows) else np.arange(1), float(len(rows) > 0), mixing)

    def _batch(self, need: "_Need", images: torch.Tensor, targets: torch.Tensor) -> Batch:
        """The batch of what was asked for, in the order of `need.places`."""
        count, mixed = len(need.rows), None
        if self.mixer is not None and need.mixing is not None:
            partners = _find(need.partners, need.places)
            images, share = need.mixing.apply(images, partners, self.mixer.allocate)
            mixed = Mixed(targets.index_select(0, torch.from_numpy(partners)), share)
        positions = without_repeats(need.whole[need.rows])
        weights = torch.full((count,), need.weight)
        if self.sample_weights is not None:
            weights *= torch.from_numpy(self.sample_weights[positions])
        return Batch(images, targets[:count], weights, positions, len(need.whole), mixed)

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


@final
@dataclass(frozen=True)
class _Need:
    """What one process needs of a batch.

    Attributes:
        whole: int64 (N,), positions of the samples of all processes, `with_repeats`.
        rows: int64 (n,), places in `whole` of this process's own.
        weight: Of each of them.
        mixing: How the batch is mixed.
    """

    whole: np.ndarray
    rows: np.ndarray
    weight: float
    mixing: Mixing | None

    @property
    def partners(self) -> np.ndarray:
        """Places in `whole` of what `rows` are mixed with; none in a batch that is not mixed."""
        return self.rows[:0] if self.mixing is None else self.mixing.partners[self.rows]

    @property
    def places(self) -> np.ndarray:
        """Places in `whole` of the images to ask for: `rows`, then partners in the shares of other processes."""
        return np.concatenate([self.rows, np.setdiff1d(self.partners, self.rows)])


def _find(wanted: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Where each wanted number stands among others that are all different."""
    order = np.argsort(among)
    return order[np.searchsorted(among, wanted, sorter=order)]


def _call(job: Callable[[], list[Batch]]) -> list[Batch]:
    return job()


def _timed(results: Iterable[list[Batch]], waiting: Waiting) -> Iterator[list[Batch]]:
    """The results, with the time that each of them took to come counted."""
    begin = time.perf_counter()
    for result in results:
        waiting.seconds += time.perf_counter() - begin
        yield result
        begin = time.perf_counter()
