"""Muon for the matrices of hidden layers, AdamW for the rest.

Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks"; the learning rate that suits both parts
is from Liu et al. 2025, "Muon is scalable for LLM training".
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Literal, final

import torch
from torch import Tensor

from vernier.optim.foreach import ForeachOptimizer, adam_step, average_, decay_

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_EPS = 1e-7


@final
class Muon(ForeachOptimizer):
    """Two optimizers in one, by the `by_muon` of each group.

    Muon: m <- b m + (1 - b) g;  u = (1 - b) g + b m with `nesterov`, else m;  w <- w - lr s(w) orthogonal(u), where
    a weight of more dimensions is the matrix of its first against all others, and s is by `adjust_lr`.
    AdamW is that of Loshchilov & Hutter 2019. Weight decay is decoupled in both.

    torch.optim.Muon is the same for two dimensions, but always computes in bfloat16.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_steps: int = 5,
        adjust_lr: Literal["match_rms_adamw", "original"] = "match_rms_adamw",
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        """`momentum` to `adjust_lr` are Muon's, `betas` and `eps` AdamW's."""
        defaults = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "nesterov": nesterov,
            "ns_steps": ns_steps,
            "adjust_lr": adjust_lr,
            "betas": betas,
            "eps": eps,
            "by_muon": True,
        }
        super().__init__(params, defaults)

    def buffers(self, group: dict[str, Any]) -> list[str]:
        """Momentum, or Adam's moments."""
        return ["momentum_buffer"] if group["by_muon"] else ["exp_avg", "exp_avg_sq"]

    def update(self, group: dict[str, Any], parameters: list[Tensor], gradients: list[Tensor], step: int) -> None:
        """One step of whichever optimizer is for the group."""
        decay_(parameters, group)
        if group["by_muon"]:
            self._move_matrices(group, parameters, gradients)
        else:
            moments = self.kept("exp_avg", parameters), self.kept("exp_avg_sq", parameters)
            numerators, denominators, factor = adam_step(moments, gradients, group, step)
            torch._foreach_addcdiv_(parameters, numerators, denominators, -group["lr"] * factor)

    def _move_matrices(self, group: dict[str, Any], parameters: list[Tensor], gradients: list[Tensor]) -> None:
        momentum = self.kept("momentum_buffer", parameters)
        average_(momentum, gradients, group["momentum"])
        directions: Sequence[Tensor] = momentum
        if group["nesterov"]:
            directions = torch._foreach_lerp(gradients, momentum, group["momentum"])
        for indices in _by_shape(parameters):
            matrices = torch.stack([directions[index].flatten(1) for index in indices])
            rate = group["lr"] * _scale(matrices.shape[-2:], group["adjust_lr"])
            for index, matrix in zip(indices, orthogonalise(matrices, group["ns_steps"]), strict=True):
                parameters[index].add_(matrix.view(parameters[index].shape), alpha=-rate)


def orthogonalise(matrices: Tensor, steps: int) -> Tensor:
    """Move all singular values into the neighbourhood of 1, from about 0.7 to 1.2, and keep the singular vectors.

    Newton-Schulz iterations with a quintic polynomial whose coefficients are steepest at 0 (Jordan et al. 2024). They
    are computed in bfloat16 on GPUs, which multiply it far faster, and in float32 elsewhere.

    Args:
        matrices: (n, rows, columns).

    Returns:
        (n, rows, columns), in the dtype of `matrices`.
    """
    a, b, c = _COEFFICIENTS
    wide = matrices.shape[-2] <= matrices.shape[-1]
    x = matrices if wide else matrices.mT
    x = x.to(torch.bfloat16 if matrices.is_cuda else torch.float32)
    x = x / torch.linalg.matrix_norm(x, keepdim=True).clamp(min=_EPS)
    for _ in range(steps):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x if wide else x.mT).to(matrices.dtype).contiguous()


def _scale(shape: torch.Size, adjust_lr: str) -> float:
    rows, columns = shape
    if adjust_lr == "match_rms_adamw":
        return float(0.2 * max(rows, columns) ** 0.5)
    return float(max(1, rows / columns) ** 0.5)


def _by_shape(parameters: Sequence[Tensor]) -> list[list[int]]:
    """Indices of the parameters that make matrices of the same shape."""
    found: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for index, parameter in enumerate(parameters):
        found[parameter.shape[0], parameter.shape[1:].numel()].append(index)
    return list(found.values())
