"""Cross-entropy of sigmoids."""

from typing import final

import numpy as np
from torch import Tensor
from torch.nn import functional

from vernier.losses.constant import Constant


@final
class BinaryCrossEntropy:
    """-w_l q log p - (1 - q) log(1 - p) of each label l, q = (1 - s) y + s / 2; the mean over an image's labels.

    Args:
        label_smoothing: s.
        positive_weights: w, float (L,); 1 when not given.
    """

    def __init__(self, label_smoothing: float = 0.0, positive_weights: np.ndarray | None = None) -> None:
        self._label_smoothing = label_smoothing
        self._weights = None if positive_weights is None else Constant(positive_weights)

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        """float32 (n,) from logits (n, L) and targets float32 (n, L), or (n,) for a single label."""
        losses = functional.binary_cross_entropy_with_logits(
            logits.float(),
            smoothed(targets.view_as(logits), self._label_smoothing),
            reduction="none",
            pos_weight=None if self._weights is None else self._weights.on(logits.device),
        )
        return losses.mean(dim=1)


def smoothed(targets: Tensor, share: float) -> Tensor:
    """Targets 0 and 1 drawn towards 1/2."""
    return targets * (1 - share) + share / 2
