"""Lion (Chen et al. 2023, "Symbolic discovery of optimization algorithms")."""

from collections.abc import Iterable
from typing import Any, final

import torch
from torch import Tensor

from vernier.optim.foreach import ForeachOptimizer, average_, decay_


@final
class Lion(ForeachOptimizer):
    """Steps of one size by the sign of an average.

    w <- w - lr (sign(b1 m + (1 - b1) g) + weight_decay w);  m <- b2 m + (1 - b2) g.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    def buffers(self, group: dict[str, Any]) -> list[str]:
        """The average of gradients."""
        return ["exp_avg"]

    def update(self, group: dict[str, Any], parameters: list[Tensor], gradients: list[Tensor], step: int) -> None:
        """One step."""
        decay_(parameters, group)
        beta1, beta2 = group["betas"]
        averages = self.kept("exp_avg", parameters)
        directions = list(torch._foreach_lerp(averages, gradients, 1 - beta1))
        torch._foreach_sign_(directions)
        torch._foreach_add_(parameters, directions, alpha=-group["lr"])
        average_(averages, gradients, beta2)
