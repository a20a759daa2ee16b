"""Dropout over the numbers of an algebra: a number is dropped as a whole, with all its blades."""

from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor

from vernier.models.algebra.layout import HyperLayer
from vernier.models.algebra.structure import Algebra


@final
class HyperDropout(HyperLayer):
    """Sets numbers to 0 with probability p in training, and divides the others by 1 - p.

    Source: Srivastava et al. 2014, JMLR 15.
    """

    def __init__(self, p: float, algebra: Algebra) -> None:
        super().__init__()
        self.p, self.algebra = p, algebra

    def forward(self, x: Tensor) -> Tensor:
        """(B*N, ...) to the same; all blades of a number together."""
        if not self.training or self.p == 0:
            return x
        return _drop(x, self.algebra.size, self.p, x.shape[1:])

    def extra_repr(self) -> str:
        """The probability and the algebra."""
        return f"p={self.p}, algebra={self.algebra.name}"


@final
class HyperDropPath(HyperLayer):
    """Sets whole images of a branch to 0 with probability p in training, and divides the others by 1 - p.

    Source: Huang et al. 2016, Deep Networks with Stochastic Depth, arXiv:1603.09382.
    """

    def __init__(self, p: float, algebra: Algebra) -> None:
        super().__init__()
        self.p, self.algebra = p, algebra

    def forward(self, x: Tensor) -> Tensor:
        """(B*N, ...) to the same; rows b*N to b*N + N - 1 together."""
        if not self.training or self.p == 0:
            return x
        return _drop(x, self.algebra.size, self.p, (1,) * (x.ndim - 1))

    def extra_repr(self) -> str:
        """The probability and the algebra."""
        return f"p={self.p}, algebra={self.algebra.name}"


def _drop(x: Tensor, blades: int, p: float, drawn: tuple[int, ...]) -> Tensor:
    """Drop by one draw an image of shape `drawn`, for all its blades."""
    numbers = torch.unflatten(x, 0, (-1, blades))
    kept = F.dropout(x.new_ones(len(numbers), 1, *drawn), p)
    return (numbers * kept).flatten(0, 1)
