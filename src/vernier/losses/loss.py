"""The loss of a training, made from its section of the config."""

from typing import Protocol

import numpy as np
from torch import Tensor

from vernier.config.loss import (
    BinaryCrossEntropyConfig,
    CrossEntropyConfig,
    CustomLossConfig,
    FocalLossConfig,
    LossConfig,
)
from vernier.losses.binary_cross_entropy import BinaryCrossEntropy
from vernier.losses.class_weights import ClassWeighted, class_weights
from vernier.losses.cross_entropy import CrossEntropy
from vernier.losses.custom import make_custom_loss
from vernier.losses.focal import SigmoidFocalLoss, SoftmaxFocalLoss
from vernier.losses.logit_adjustment import LogitAdjusted, logit_offsets
from vernier.losses.positive_weights import positive_weights
from vernier.models.task import Task


class Loss(Protocol):
    """What training minimises, but for what is not a matter of single images (L2, distillation)."""

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        """float32 (n,): a loss for each image, from logits (n, outputs) of any precision.

        Args:
            targets: As `Task.targets` gives them.
        """
        ...


class Teacher(Protocol):
    """Adds what a teacher says to the losses of a step (`loss.distillation`)."""

    def __call__(self, images: Tensor, logits: Tensor, losses: Tensor) -> Tensor:
        """float32 (n,) from the images as the model received them, its logits and its own losses."""
        ...


def make_loss(config: LossConfig, task: Task, counts: np.ndarray, *, images: int | None = None) -> Loss:
    """The loss of a resolved section.

    Args:
        counts: int64 (C,), training images of each class, as an epoch draws them.
        images: All training images; their number is the sum of the counts but for multilabel tasks.

    Raises:
        ConfigError: weights that don't fit the classes or their numbers, or a custom loss that does not do its part.
    """
    total = int(counts.sum()) if images is None else images
    match config:
        case CrossEntropyConfig():
            return _weighted(_cross_entropy(config, task, counts), config, task, counts)
        case BinaryCrossEntropyConfig():
            weights = positive_weights(config.positive_weights, task, counts, total)
            return BinaryCrossEntropy(config.label_smoothing, weights)
        case FocalLossConfig():
            return _focal(config, task, counts)
        case CustomLossConfig():
            return make_custom_loss(config, task)
    raise TypeError("loss is still auto: resolve the config first")


def _cross_entropy(config: CrossEntropyConfig, task: Task, counts: np.ndarray) -> Loss:
    loss = CrossEntropy(config.label_smoothing)
    if config.logit_adjustment is None:
        return loss
    return LogitAdjusted(loss, logit_offsets(counts, config.logit_adjustment, task.class_names))


def _focal(config: FocalLossConfig, task: Task, counts: np.ndarray) -> Loss:
    if task.name == "multiclass":
        return _weighted(SoftmaxFocalLoss(config.gamma), config, task, counts)
    return SigmoidFocalLoss(config.gamma, config.alpha)


def _weighted(loss: Loss, config: CrossEntropyConfig | FocalLossConfig, task: Task, counts: np.ndarray) -> Loss:
    if config.class_weights is None:
        return loss
    weights = class_weights(
        config.class_weights, task.class_names, counts, effective_number_beta=config.effective_number_beta
    )
    return ClassWeighted(loss, weights)
