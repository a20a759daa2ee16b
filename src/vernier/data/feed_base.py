"""What gives a loader its augmented images."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np
import torch

from vernier.augment.backend import Backend
from vernier.augment.workers import Workers
from vernier.data.store_base import Store


class Feed(ABC):
    """Training samples by position, as the first trained layer receives them."""

    callers: int = 1
    """How many threads may ask for batches at the same time, and gain by it."""
    samples_at_once: int = 1
    """Batches smaller than this are better asked for together: a call costs as much as that many samples."""

    @abstractmethod
    def batch(self, positions: np.ndarray, epoch: int) -> torch.Tensor:
        """The samples at some places of the source.

        Args:
            positions: int64 (n,); with the seed and the epoch they settle every draw.
            epoch: From 0.

        Returns:
            float32 (n, C, H, W) in channels_last memory, or features (n, ...). A row depends on no other row.
        """


@final
@dataclass(frozen=True)
class StoreFeed(Feed):
    """Decoded images one by one, through an augmentation backend.

    Attributes:
        store: Read from several threads at once.
        backend: What is done to the images.
        workers: The threads that read; by default the caller's own.
        samples_at_once: As for every feed. Draws for a batch are made by one thread while the others wait, so few and
            large requests keep them busy: 5,300 images/s for 128 at once on two cores, 4,200 for 32.
    """

    store: Store
    backend: Backend
    workers: Workers = field(default_factory=lambda: Workers(0))
    samples_at_once: int = 1

    def batch(self, positions: np.ndarray, epoch: int) -> torch.Tensor:
        """See `Feed.batch`."""
        places: Sequence[int] = positions.tolist()
        images = self.workers.map(lambda number: self.store[places[number]], len(places))
        return self.backend.batch(images, positions, epoch)
