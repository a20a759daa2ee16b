"""Gradients clipped in place, in the three ways that there are.

A gradient that is not finite stays so: it is not for clipping to hide it.
"""

from collections.abc import Iterable

import torch
from torch import Tensor


def clip_value_(parameters: Iterable[Tensor], value: float) -> None:
    """Clip each element of the gradients to plus or minus `value`."""
    gradients = gradients_of(parameters)
    if gradients:
        torch._foreach_clamp_min_(gradients, -value)
        torch._foreach_clamp_max_(gradients, value)


def clip_parameter_norms_(parameters: Iterable[Tensor], max_norm: float) -> None:
    """Scale the gradient of each parameter whose L2 norm is above `max_norm` down to it (Keras's clipnorm)."""
    gradients = gradients_of(parameters)
    if gradients:
        norms = torch.stack(torch._foreach_norm(gradients, 2, torch.float32))
        torch._foreach_mul_(gradients, list((max_norm / norms.clamp(min=max_norm)).unbind()))


def clip_global_norm_(parameters: Iterable[Tensor], max_norm: float) -> Tensor:
    """Scale all gradients by one factor so that their common L2 norm is at most `max_norm` (Pascanu et al. 2013).

    Returns:
        The norm before, float32 (), on the gradients' device; 0 without gradients.
    """
    gradients = gradients_of(parameters)
    if not gradients:
        return torch.zeros(())
    norm: Tensor = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients, 2, torch.float32)))
    torch._foreach_mul_(gradients, max_norm / norm.clamp(min=max_norm))
    return norm


def gradients_of(parameters: Iterable[Tensor]) -> list[Tensor]:
    """The gradients that there are."""
    return [parameter.grad for parameter in parameters if parameter.grad is not None]
