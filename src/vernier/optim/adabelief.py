"""AdaBelief (Zhuang et al. 2020, "AdaBelief optimizer: adapting stepsizes by the belief in observed gradients")."""

from collections.abc import Iterable
from typing import Any, final

import torch
from torch import Tensor

from vernier.optim.foreach import ForeachOptimizer, average_, average_squares_, decay_, root

_LEAST_SAMPLES = 5


@final
class AdaBelief(ForeachOptimizer):
    """Adam with the variance of gradients around their average in place of the average of squares.

    m <- b1 m + (1 - b1) g;  s <- b2 s + (1 - b2) (g - m)^2 + eps;  w <- w - lr r m' / (sqrt(s') + eps), where m' and
    s' are corrected for their start at 0. With `rectify` r is the factor of RAdam (Liu et al. 2020), and while the
    variance rests on fewer than five samples the step is lr m'; without it r is 1. Weight decay is decoupled.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-16,
        weight_decay: float = 0.0,
        rectify: bool = True,
        amsgrad: bool = False,
    ) -> None:
        """`amsgrad` divides by the largest s so far."""
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "rectify": rectify,
            "amsgrad": amsgrad,
        }
        super().__init__(params, defaults)

    def buffers(self, group: dict[str, Any]) -> list[str]:
        """Average, variance, and the largest variance with `amsgrad`."""
        return ["average", "variance", *(["max_variance"] if group["amsgrad"] else [])]

    def update(self, group: dict[str, Any], parameters: list[Tensor], gradients: list[Tensor], step: int) -> None:
        """One step."""
        decay_(parameters, group)
        beta1, beta2 = group["betas"]
        average, variance = self.kept("average", parameters), self.kept("variance", parameters)
        average_(average, gradients, beta1)
        average_squares_(variance, torch._foreach_sub(gradients, average), beta2)
        torch._foreach_add_(variance, group["eps"])
        if group["amsgrad"]:
            largest = self.kept("max_variance", parameters)
            torch._foreach_maximum_(largest, variance)
            variance = largest
        rate = group["lr"] / (1 - beta1**step)
        factor = rectification(step, beta2) if group["rectify"] else 1.0
        if factor is None:
            torch._foreach_add_(parameters, average, alpha=-rate)
        else:
            deviation = root(variance, 1 - beta2**step, group["eps"])
            torch._foreach_addcdiv_(parameters, average, deviation, -rate * factor)


def rectification(step: int, beta2: float) -> float | None:
    """How much of a step the estimate of the variance is good for (Liu et al. 2020, algorithm 2).

    Returns:
        A factor from 0 to 1; None while the estimate rests on fewer than five samples.
    """
    most = 2 / (1 - beta2) - 1
    samples = most - 2 * step * beta2**step / (1 - beta2**step)
    if samples < _LEAST_SAMPLES:
        return None
    return float(((samples - 4) * (samples - 2) * most / ((most - 4) * (most - 2) * samples)) ** 0.5)
