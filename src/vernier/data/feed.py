"""Where a loader gets augmented images from."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import numpy as np
import torch

from vernier.augment.backend import Backend
from vernier.data.store import Store


class Feed(ABC):
    """Training samples by position, as the first trained layer receives them."""

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
    """Decoded images one by one, through an augmentation backend."""

    store: Store
    backend: Backend

    def batch(self, positions: np.ndarray, epoch: int) -> torch.Tensor:
        """See `Feed.batch`."""
        return self.backend.batch([self.store[int(position)] for position in positions], positions, epoch)
