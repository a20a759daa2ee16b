"""What runs a plan on the images of a batch."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch


class Backend(ABC):
    """Turns images into the batch that a model's first layer receives."""

    @abstractmethod
    def batch(self, images: Sequence[np.ndarray], indices: np.ndarray, epoch: int) -> torch.Tensor:
        """Run the plan on some samples.

        Args:
            images: uint8 (H, W, C) each; heights and widths may differ.
            indices: the samples' numbers, int64 (N,); with the plan's seed and the epoch they settle every draw.
            epoch: from 0.

        Returns:
            float32 (N, C, h, w) in channels_last memory. An image's result depends on no other image of the batch.
        """


def image_sizes(images: Sequence[np.ndarray]) -> np.ndarray:
    """Heights and widths, int64 (N, 2)."""
    return np.array([image.shape[:2] for image in images], np.int64).reshape(-1, 2)
