"""What the optimizers written here share: steps that treat many parameters at once."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

Tensors = list[Tensor] | tuple[Tensor, ...]


class ForeachOptimizer(torch.optim.Optimizer, ABC):
    """An optimizer whose state is a few tensors like each parameter, and its number of steps."""

    @abstractmethod
    def buffers(self, group: dict[str, Any]) -> Sequence[str]:
        """Names of the tensors that are kept for each parameter of a group; they begin with zeros."""

    @abstractmethod
    def update(self, group: dict[str, Any], parameters: list[Tensor], gradients: list[Tensor], step: int) -> None:
        """Move parameters of one group that are at the same step, counted from 1."""

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Move all parameters that have a gradient.

        Args:
            closure: Computes the loss and its gradients first; its loss is returned.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for step, parameters in self._by_step(group).items():
                gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
                self.update(group, parameters, gradients, step)
        return loss

    def kept(self, name: str, parameters: Sequence[Tensor]) -> list[Tensor]:
        """The tensors of one name for some parameters."""
        return [self.state[parameter][name] for parameter in parameters]

    def _by_step(self, group: dict[str, Any]) -> dict[int, list[Tensor]]:
        """The parameters that have a gradient by which step this is for them: nearly always one and the same."""
        found: dict[int, list[Tensor]] = {}
        for parameter in group["params"]:
            if parameter.grad is None:
                continue
            state = self.state[parameter]
            if not state:
                state["step"] = 0
                state.update((name, torch.zeros_like(parameter)) for name in self.buffers(group))
            state["step"] += 1
            found.setdefault(state["step"], []).append(parameter)
        return found


def average_(averages: Tensors, values: Tensors, keep: float) -> None:
    """Move exponential averages towards new values; `keep` is the share that stays."""
    torch._foreach_lerp_(averages, values, 1 - keep)


def average_squares_(averages: Tensors, values: Tensors, keep: float) -> None:
    """Move exponential averages towards the squares of new values."""
    torch._foreach_mul_(averages, keep)
    torch._foreach_addcmul_(averages, values, values, 1 - keep)


def root(squares: Tensors, correction: float, eps: float) -> list[Tensor]:
    """sqrt(squares / correction) + eps."""
    roots = list(torch._foreach_sqrt(squares))
    torch._foreach_div_(roots, correction**0.5)
    torch._foreach_add_(roots, eps)
    return roots


def decay_(parameters: Tensors, group: dict[str, Any]) -> None:
    """Decoupled weight decay: take lr times the decay off the weights (Loshchilov & Hutter 2019)."""
    if group["weight_decay"] != 0:
        torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])


def adam_step(
    moments: tuple[list[Tensor], list[Tensor]],
    gradients: Tensors,
    group: dict[str, Any],
    step: int,
) -> tuple[list[Tensor], list[Tensor], float]:
    """Take gradients into Adam's moments, in place.

    Returns:
        Numerators, denominators, and a factor; the step is numerator / denominator times the factor.
    """
    first, second = moments
    beta1, beta2 = group["betas"]
    average_(first, gradients, beta1)
    average_squares_(second, gradients, beta2)
    return first, root(second, 1 - beta2**step, group["eps"]), 1 / (1 - beta1**step)
