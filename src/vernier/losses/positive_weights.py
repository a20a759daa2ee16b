"""Weights of labels that are set, for binary cross-entropy."""

import numpy as np

from vernier.config.loss import PositiveWeights
from vernier.losses.by_class import class_values, require_images
from vernier.models.task import Task

_KEY = "loss.positive_weights"


def positive_weights(given: PositiveWeights | None, task: Task, counts: np.ndarray, images: int) -> np.ndarray | None:
    """float64 (L,), a factor for each label; they are torch's `pos_weight` and are not scaled.

    Args:
        given: `balanced`: images without the label / images with it. One number is for all labels.
        counts: int64 (C,), images of each class or label.
        images: All images.

    Raises:
        ConfigError: the numbers don't fit the labels, or a label without images has to be counted.
    """
    if given is None:
        return None
    labels, positives = (task.class_names[-1:], counts[-1:]) if task.name == "binary" else (task.class_names, counts)
    if given == "balanced":
        require_images(_KEY, given, labels, positives)
        # A label that every image has needs no weight, and 0 would take it out of the loss.
        balanced: np.ndarray = np.maximum(images - positives, 1) / positives
        return balanced
    assert not isinstance(given, str), "one of the words above"
    if isinstance(given, tuple) and len(given) == 1:
        return np.full(len(labels), given[0])
    return class_values(_KEY, given, labels)
