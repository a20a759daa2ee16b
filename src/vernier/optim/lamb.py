"""LAMB (You et al. 2020, "Large batch optimization for deep learning: training BERT in 76 minutes")."""

from collections.abc import Iterable
from typing import Any, final

import torch
from torch import Tensor

from vernier.optim.foreach import ForeachOptimizer, adam_step


@final
class LAMB(ForeachOptimizer):
    """Adam's step plus weight decay, scaled to the norm of the weight it is for.

    u <- m' / (sqrt(v') + eps) + weight_decay w;  w <- w - lr (|w| / |u|) u. Where |w| or |u| is 0 the ratio is 1, and
    so it is in groups with `adapted` false.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: float = 0.01,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "adapted": True}
        super().__init__(params, defaults)

    def buffers(self, group: dict[str, Any]) -> list[str]:
        """Adam's moments."""
        return ["exp_avg", "exp_avg_sq"]

    def update(self, group: dict[str, Any], parameters: list[Tensor], gradients: list[Tensor], step: int) -> None:
        """One step."""
        moments = self.kept("exp_avg", parameters), self.kept("exp_avg_sq", parameters)
        numerators, denominators, factor = adam_step(moments, gradients, group, step)
        steps = list(torch._foreach_div(numerators, denominators))
        torch._foreach_mul_(steps, factor)
        if group["weight_decay"] != 0:
            torch._foreach_add_(steps, parameters, alpha=group["weight_decay"])
        if group["adapted"]:
            torch._foreach_mul_(steps, _trust_ratios(parameters, steps))
        torch._foreach_add_(parameters, steps, alpha=-group["lr"])


def _trust_ratios(parameters: list[Tensor], steps: list[Tensor]) -> list[Tensor]:
    weights, lengths = (torch.stack(torch._foreach_norm(tensors)) for tensors in (parameters, steps))
    ratios = torch.where((weights > 0) & (lengths > 0), weights / lengths, 1.0)
    return list(ratios.unbind())
