"""Training batches, prepared ahead of the training thread."""

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from vernier.data.feed import Feed
from vernier.data.order import BatchOrder, rank_share

_AHEAD = 2


@dataclass(frozen=True)
class Batch:
    """One process's part of a global batch.

    Attributes:
        images: float32 (n, C, H, W), n at least 1.
        targets: What the task's loss takes, n rows.
        weights: float32 (n,): 1, or 0 for a stand-in image when this process has no sample of the batch.
        positions: int64 (n,), places of the samples in the source.
        global_count: Samples of the batch over all processes.
    """

    images: torch.Tensor
    targets: torch.Tensor
    weights: torch.Tensor
    positions: np.ndarray
    global_count: int


@dataclass(frozen=True)
class TrainLoader:
    """Batches the training samples of one process.

    Attributes:
        positions: int64 (count,), places of the training samples in the source.
        targets: Targets of all samples of the source, as the task's loss takes them.
        threads: 0 prepares each batch in the training thread, otherwise two batches are prepared ahead.
    """

    feed: Feed
    positions: np.ndarray
    targets: torch.Tensor
    order: BatchOrder
    threads: int
    rank: int = 0
    world_size: int = 1

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch from number `start` on."""
        numbers = range(start, self.order.steps_per_epoch)
        jobs = (partial(self.batch, epoch, number) for number in numbers)
        return (job() for job in jobs) if self.threads == 0 else _prefetch(jobs)

    def batch(self, epoch: int, number: int) -> Batch:
        """One batch of an epoch."""
        whole = self.positions[self.order.batch(epoch, number)]
        share = rank_share(whole, self.rank, self.world_size)
        # A process without a sample still takes part in the exchange of gradients, with a weight of 0.
        positions = share if len(share) else whole[:1]
        return Batch(
            self.feed.batch(positions, epoch),
            self.targets[torch.from_numpy(positions)],
            torch.full((len(positions),), float(len(share) > 0)),
            positions,
            len(whole),
        )


def _prefetch(jobs: Iterator[Callable[[], Batch]]) -> Iterator[Batch]:
    """Run the jobs in order in one thread, at most `_AHEAD` of them before they are asked for."""
    done: queue.Queue[Batch | BaseException | None] = queue.Queue(maxsize=_AHEAD)
    abandoned = threading.Event()

    def put(item: Batch | BaseException | None) -> None:
        while not abandoned.is_set():
            try:
                return done.put(item, timeout=0.1)
            except queue.Full:
                continue
        return None

    def work() -> None:
        try:
            for job in jobs:
                if abandoned.is_set():
                    return
                put(job())
            put(None)
        except BaseException as error:
            put(error)

    worker = threading.Thread(target=work, name="vernier-loader", daemon=True)
    worker.start()
    try:
        while (item := done.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        abandoned.set()
        worker.join()
