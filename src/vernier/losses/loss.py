"""The loss of a training."""

from typing import Protocol

import numpy as np
from torch import Tensor

from vernier.config.loss import LossConfig
from vernier.models.task import Task


class Loss(Protocol):
    """What training minimises, but for what is not a matter of single images (L2, distillation)."""

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        """float32 (n,): a loss for each image, from logits (n, outputs) of any precision.

        Args:
            targets: As `Task.targets` gives them.
        """
        ...


def make_loss(config: LossConfig, task: Task, counts: np.ndarray) -> Loss:
    """The loss of a resolved section.

    Args:
        counts: int64 (C,), training images of each class.
    """
    return task.loss


class Teacher(Protocol):
    """Adds what a teacher says to the losses of a step (`loss.distillation`)."""

    def __call__(self, images: Tensor, logits: Tensor, losses: Tensor) -> Tensor:
        """float32 (n,) from the images as the model received them, its logits and its own losses."""
        ...
