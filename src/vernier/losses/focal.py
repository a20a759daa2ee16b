"""Focal loss: images that are right already count less (Lin et al. 2017, "Focal loss for dense object detection")."""

from dataclasses import dataclass
from typing import Final, final

from torch import Tensor
from torch.nn import functional

_LEAST_MISS: Final = 1e-12


@final
@dataclass(frozen=True)
class SoftmaxFocalLoss:
    """-(1 - p_y)^gamma log p_y over C classes."""

    gamma: float = 2.0

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        """float32 (n,) from logits (n, C) and targets int64 (n,)."""
        losses = functional.cross_entropy(logits.float(), targets, reduction="none")
        return _miss(losses) ** self.gamma * losses


@final
@dataclass(frozen=True)
class SigmoidFocalLoss:
    """-a (1 - p)^gamma log p of the right answer of each label; the mean over an image's labels.

    Attributes:
        alpha: a where the label is set; 1 - alpha where it is not. 1 everywhere when not given.
    """

    gamma: float = 2.0
    alpha: float | None = None

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        """float32 (n,) from logits (n, L) and targets float32 (n, L), or (n,) for a single label."""
        targets = targets.view_as(logits)
        losses = functional.binary_cross_entropy_with_logits(logits.float(), targets, reduction="none")
        losses = _miss(losses) ** self.gamma * losses
        if self.alpha is not None:
            losses = losses * (self.alpha * targets + (1 - self.alpha) * (1 - targets))
        return losses.mean(dim=1)


def _miss(losses: Tensor) -> Tensor:
    """1 - p from -log p, without the cancellation near p = 1."""
    # At p = 1 the root has no slope.
    return -(-losses).expm1().clamp(max=-_LEAST_MISS)
