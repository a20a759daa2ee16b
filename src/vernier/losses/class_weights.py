"""Weights of the classes' images."""

from collections.abc import Callable, Sequence
from typing import final

import numpy as np
from torch import Tensor

from vernier.config.loss import ClassWeights
from vernier.losses.by_class import class_values, require_images
from vernier.losses.constant import Constant

_KEY = "loss.class_weights"


@final
class ClassWeighted:
    """Another loss times the weight of each image's class.

    Args:
        loss: From logits (n, C) and targets int64 (n,).
        weights: float (C,).
    """

    def __init__(self, loss: Callable[[Tensor, Tensor], Tensor], weights: np.ndarray) -> None:
        self._loss, self._weights = loss, Constant(weights)

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        """float32 (n,)."""
        return self._loss(logits, targets) * self._weights.on(logits.device)[targets]


def class_weights(
    given: ClassWeights, names: Sequence[str], counts: np.ndarray, *, effective_number_beta: float = 0.999
) -> np.ndarray:
    """float64 (C,), scaled so that the mean weight over the training images is 1.

    The learning rate then means the same with and without weights.

    Args:
        given: `balanced`: n / (C n_c) for n images, n_c of class c. `effective_number`: in proportion to
            (1 - b) / (1 - b^n_c), Cui et al. 2019. Else numbers by name or in the order of the classes.
        counts: int64 (C,), the n_c.
        effective_number_beta: b.

    Raises:
        ConfigError: the numbers don't fit the classes, or a class without images has to be counted.
    """
    if given == "balanced":
        require_images(_KEY, given, names, counts)
        weights = 1 / counts
    elif given == "effective_number":
        require_images(_KEY, given, names, counts)
        weights = 1 / -np.expm1(counts * np.log(effective_number_beta))
    else:
        assert not isinstance(given, str), "one of the words above"
        weights = class_values(_KEY, given, names)
    scaled: np.ndarray = weights * counts.sum() / (weights @ counts)
    return scaled
