"""From hypercomplex numbers back to real ones: what becomes of the N parts.

A batch of B images over an algebra with N blades is a real tensor of B*N rows; row b*N + n is blade n of image b.
"""

from collections.abc import Callable, Mapping
from typing import Literal, final

import torch
from torch import Tensor, nn

OutputName = Literal["scalar", "norm", "concat", "mean", "max"]
"""`model.algebra.output`."""


def _scalar(parts: Tensor) -> Tensor:
    return parts[:, 0]


def _norm(parts: Tensor) -> Tensor:
    # Its gradient where all parts are 0 is defined as 0.
    norm: Tensor = torch.linalg.vector_norm(parts, dim=1)
    return norm


def _concat(parts: Tensor) -> Tensor:
    return parts.flatten(1, 2)


def _mean(parts: Tensor) -> Tensor:
    return parts.mean(dim=1)


def _max(parts: Tensor) -> Tensor:
    return parts.amax(dim=1)


_OUTPUTS: Mapping[OutputName, Callable[[Tensor], Tensor]] = {
    "scalar": _scalar,
    "norm": _norm,
    "concat": _concat,
    "mean": _mean,
    "max": _max,
}


@final
class Output(nn.Module):
    """(B*N, F, ...) to (B, F, ...), with concat to (B, N*F, ...), blade after blade.

    scalar: the first part. norm: the Euclidean norm over the parts. mean and max: over the parts.
    """

    def __init__(self, blades: int, name: OutputName) -> None:
        super().__init__()
        self.blades, self.name = blades, name

    def forward(self, x: Tensor) -> Tensor:
        """(B*N, F, ...) to (B, F, ...) or (B, N*F, ...)."""
        return _OUTPUTS[self.name](torch.unflatten(x, 0, (-1, self.blades)))

    def extra_repr(self) -> str:
        """The number of blades and what becomes of them."""
        return f"blades={self.blades}, {self.name}"
