"""Logits that know how frequent the classes are (Menon et al. 2021, "Long-tail learning via logit adjustment")."""

from collections.abc import Callable, Sequence
from typing import final

import numpy as np
from torch import Tensor

from vernier.losses.by_class import require_images
from vernier.losses.constant import Constant


@final
class LogitAdjusted:
    """Another loss of the logits plus an offset for each class; evaluation goes without.

    Args:
        loss: From logits (n, C) and targets.
        offsets: float (C,).
    """

    def __init__(self, loss: Callable[[Tensor, Tensor], Tensor], offsets: np.ndarray) -> None:
        self._loss, self._offsets = loss, Constant(offsets)

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        """float32 (n,)."""
        return self._loss(logits.float() + self._offsets.on(logits.device), targets)


def logit_offsets(counts: np.ndarray, strength: float, names: Sequence[str]) -> np.ndarray:
    """strength * log(n_c / n), float64 (C,).

    Raises:
        ConfigError: a class has no training images.
    """
    require_images("loss.logit_adjustment", f"{strength:g}", names, counts)
    offsets: np.ndarray = strength * np.log(counts / counts.sum())
    return offsets
