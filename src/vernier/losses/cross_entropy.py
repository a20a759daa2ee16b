"""Softmax cross-entropy."""

from dataclasses import dataclass
from typing import final

from torch import Tensor
from torch.nn import functional


@final
@dataclass(frozen=True)
class CrossEntropy:
    """-sum_c q_c log p_c over C classes, q = (1 - s) of the target + s / C (Szegedy et al. 2016).

    Attributes:
        label_smoothing: s.
    """

    label_smoothing: float = 0.0

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        """float32 (n,) from logits (n, C) and targets int64 (n,)."""
        return functional.cross_entropy(logits.float(), targets, reduction="none", label_smoothing=self.label_smoothing)
