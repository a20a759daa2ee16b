"""Batch normalisation of numbers with several parts.

Both kinds are found where torch's `_BatchNorm` is looked for: one holds a `BatchNorm2d`, the other is a `_BatchNorm`.
"""

import math
from typing import final

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from vernier.models.algebra.layout import HyperLayer, from_blocks, to_blocks
from vernier.models.algebra.structure import Algebra
from vernier.models.algebra.whitening import full_precision, inverse_root, map_numbers, normalise


@final
class BladeBatchNorm(HyperLayer):
    """Each blade of each channel has a mean, a variance, a scale and a shift of its own.

    Arguments as for `nn.BatchNorm2d`; feature n*C + c of `norm` is blade n of channel c.
    """

    def __init__(
        self,
        algebra: Algebra,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
    ) -> None:
        super().__init__()
        self.algebra = algebra
        self.norm = nn.BatchNorm2d(algebra.size * num_features, eps, momentum, affine, track_running_stats)

    def forward(self, x: Tensor) -> Tensor:
        """(B*N, C, H, W) or (B*N, C) to the same."""
        image = x if x.ndim == 4 else x[:, :, None, None]
        y = from_blocks(self.norm(to_blocks(image, self.algebra.size)), self.algebra.size)
        return y.view(x.shape)

    @torch.no_grad()
    def scale_(self, factors: Tensor) -> None:
        """Multiply what each channel gives, but for its shift, by `factors` (C)."""
        self.norm.weight.mul_(factors.repeat(self.algebra.size))

    def extra_repr(self) -> str:
        """The algebra."""
        return self.algebra.name


@final
class WhiteningBatchNorm(_BatchNorm, HyperLayer):
    """The blades of a channel become uncorrelated with variance 1; a symmetric matrix and a shift follow.

    y = G L^-1 (x - mean) + shift with L L^T = covariance + eps, over batch and pixels. G starts at 1/sqrt(N), so that
    numbers, not their blades, have variance 1.

    Arguments as for `nn.BatchNorm2d`. Parameters and statistics are vectors, as in other norms: `bias` and
    `running_mean` hold C x N values, `weight` (G) and `running_var` (the covariance) C x N(N+1)/2, row by row the lower
    triangle of each channel's matrix.

    Sources: Trabelsi et al. 2018, Deep Complex Networks, arXiv:1705.09792; Cholesky's factor as by Gaudet and Maida
    2018, Deep Quaternion Networks, arXiv:1712.04604.
    """

    lower: Tensor
    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(
        self,
        algebra: Algebra,
        num_features: int,
        eps: float = 1e-4,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine=False, track_running_stats=False)
        self.algebra, self.affine, self.track_running_stats = algebra, affine, track_running_stats
        blades = range(algebra.size)
        places = [[max(i, j) * (max(i, j) + 1) // 2 + min(i, j) for i in blades] for j in blades]
        self.register_buffer("lower", torch.tensor(places), persistent=False)
        if affine:
            self.weight, self.bias = nn.Parameter(self._unit()), nn.Parameter(self._zero())
        if track_running_stats:
            self.running_mean, self.running_var = self._zero(), self._unit()
            self.num_batches_tracked = torch.tensor(0)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """To the initial scales, shifts and statistics."""
        self.reset_running_stats()
        if self.affine:
            with torch.no_grad():
                self.weight.copy_(self._unit() / math.sqrt(self.algebra.size))
                self.bias.zero_()

    def reset_running_stats(self) -> None:
        """To a mean of 0 and the unit matrix."""
        if self.track_running_stats:
            self.running_mean.zero_()
            self.running_var.copy_(self._unit())
            self.num_batches_tracked.zero_()

    def forward(self, x: Tensor) -> Tensor:
        """(B*N, C, H, W) or (B*N, C) to the same.

        Raises:
            ValueError: a single value a channel in training, which has no covariance.
        """
        if not self.training and self.track_running_stats:
            return map_numbers(x, *self.affine_map(_computed_in(x)))
        if x.numel() == self.num_features * self.algebra.size:
            raise ValueError(f"Expected more than 1 value per channel when training, got input size {x.shape}")
        y, mean, covariance = normalise(x, *self._scale_and_shift(_computed_in(x)), self.eps)
        if self.training and self.track_running_stats:
            self._update(mean, covariance, x.numel() // mean.numel())
        return y

    def affine_map(self, dtype: torch.dtype | None = None) -> tuple[Tensor, Tensor]:
        """What it does in eval mode: y = matrix x + shift, (C, N, N) and (C, N).

        Args:
            dtype: Of both; float32, or the statistics' if they have more digits, when left out.
        """
        dtype = dtype or _computed_in(self.running_var)
        scale, shift = self._scale_and_shift(dtype)
        mean = self.running_mean.to(dtype).view(shift.shape)
        with full_precision(mean):
            matrix = scale @ inverse_root(self._matrices(self.running_var.to(dtype)), self.eps)
        return matrix, shift - (matrix * mean[:, None]).sum(-1)

    @torch.no_grad()
    def scale_(self, factors: Tensor) -> None:
        """Multiply what each channel gives, but for its shift, by `factors` (C)."""
        self.weight.mul_(factors.repeat_interleave(len(self.weight) // self.num_features))

    def extra_repr(self) -> str:
        """The arguments."""
        return (
            f"{self.algebra.name}, {self.num_features}, eps={self.eps}, momentum={self.momentum}, "
            f"affine={self.affine}, track_running_stats={self.track_running_stats}"
        )

    def _scale_and_shift(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """(C, N, N) and (C, N)."""
        scale = self.weight if self.affine else self._unit()
        shift = self.bias if self.affine else self._zero()
        return self._matrices(scale.to(dtype)), shift.to(dtype).view(self.num_features, -1)

    @torch.no_grad()
    def _update(self, mean: Tensor, covariance: Tensor, values: int) -> None:
        """Running statistics; the covariance's is unbiased, as torch's variance."""
        self.num_batches_tracked.add_(1)
        share = 1 / self.num_batches_tracked.item() if self.momentum is None else self.momentum
        rows, columns = self._triangle()
        unbiased = covariance[:, rows, columns] * (values / (values - 1))
        self.running_mean.lerp_(mean.flatten().to(self.running_mean.dtype), share)
        self.running_var.lerp_(unbiased.flatten().to(self.running_var.dtype), share)

    def _matrices(self, triangles: Tensor) -> Tensor:
        """Symmetric (C, N, N)."""
        return triangles.view(self.num_features, -1)[:, self.lower]

    def _triangle(self) -> tuple[Tensor, Tensor]:
        """Rows and columns of a lower triangle."""
        rows, columns = torch.tril_indices(*self.lower.shape, device=self.lower.device)
        return rows, columns

    def _unit(self) -> Tensor:
        """The lower triangles of C unit matrices."""
        rows, columns = self._triangle()
        return (rows == columns).float().repeat(self.num_features)

    def _zero(self) -> Tensor:
        return torch.zeros(self.num_features * len(self.lower), device=self.lower.device)


def _computed_in(x: Tensor) -> torch.dtype:
    """The type of statistics: float32 at least."""
    return torch.promote_types(x.dtype, torch.float32)
