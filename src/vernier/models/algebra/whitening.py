"""Whitening the parts of numbers: mean, covariance, and one matrix for each channel.

The work is done on parts (C, N, M): C channels, N blades, and M values of each over the batch's images and pixels.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from vernier.models.algebra.layout import is_channels_last

_ROUNDING = 10
"""Errors of a computed covariance, in units of the last place of the variances."""

Layout = tuple[torch.Size, torch.dtype, bool]
"""Of a tensor of numbers: its shape, its type, and whether channels are last in memory."""


def inverse_root(covariance: Tensor, eps: float) -> Tensor:
    """L^-1 with L L^T = covariance + eps; both (C, N, N).

    Parts that depend on each other have a singular covariance, which rounding may make indefinite: as much as that
    is added to eps.
    """
    variance = covariance.diagonal(dim1=-2, dim2=-1).mean(-1).detach()
    added = eps + _ROUNDING * torch.finfo(covariance.dtype).eps * variance
    unit = torch.eye(covariance.shape[-1], dtype=covariance.dtype, device=covariance.device)
    factor, _ = torch.linalg.cholesky_ex(covariance + added[:, None, None] * unit)
    root: Tensor = torch.linalg.solve_triangular(factor, unit, upper=False)
    return root


def normalise(x: Tensor, scale: Tensor, shift: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """Whiten by the statistics of `x` itself, then multiply by `scale` and add `shift`.

    Args:
        x: (B*N, C, H, W) or (B*N, C).
        scale: (C, N, N).
        shift: (C, N).
        eps: Added to the variances.

    Returns:
        The result, like `x`; mean (C, N) and biased covariance (C, N, N), without gradients.
    """
    return cast(tuple[Tensor, Tensor, Tensor], _Normalise.apply(x, scale, shift, eps))


def map_numbers(x: Tensor, matrix: Tensor, shift: Tensor) -> Tensor:
    """matrix x + shift for each channel.

    Args:
        x: (B*N, C, H, W) or (B*N, C).
        matrix: (C, N, N).
        shift: (C, N).

    Returns:
        Like `x`.
    """
    with full_precision(x):
        parts = _parts(x, matrix.shape[-1], matrix.dtype)
        return _merged(torch.baddbmm(shift[:, :, None], matrix, parts), _layout(x))


class _Normalise(torch.autograd.Function):
    """`normalise` with few passes over the images, forwards and backwards."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, shift: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
        """As `normalise`."""
        with full_precision(x):
            centred = _parts(x, scale.shape[-1], shift.dtype)
            mean = centred.mean(2)
            centred -= mean[:, :, None]
            covariance = centred @ centred.mT / centred.shape[-1]
            root = inverse_root(covariance, eps)
            y = _merged(torch.baddbmm(shift[:, :, None], scale @ root, centred), _layout(x))
        ctx.save_for_backward(centred, scale, root)
        ctx.layout = _layout(x)
        ctx.mark_non_differentiable(mean, covariance)
        return y, mean, covariance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        """Gradients of x, scale and shift."""
        centred, scale, root = ctx.saved_tensors
        values = centred.shape[-1]
        with full_precision(gradient):
            arriving, back = _parts(gradient, centred.shape[1], centred.dtype), (scale @ root).mT
            of_shift, of_matrix = arriving.sum(2), arriving @ centred.mT
            of_covariance = _through_root(scale.mT @ of_matrix, root)
            of_mean = -back @ of_shift[:, :, None]
            of_x = torch.baddbmm(of_mean / values, back, arriving)
            of_x.baddbmm_((of_covariance + of_covariance.mT) / values, centred)
            return _merged(of_x, ctx.layout), of_matrix @ root.mT, of_shift, None


def _through_root(gradient: Tensor, root: Tensor) -> Tensor:
    """From the gradient of L^-1 to that of the covariance L L^T, before it is made symmetric.

    Source: I. Murray, Differentiation of the Cholesky decomposition, 2016, arXiv:1602.07527.
    """
    inner = -gradient @ root.mT
    lower = inner.tril() - torch.diag_embed(inner.diagonal(dim1=-2, dim2=-1)) / 2
    return root.mT @ lower @ root


def _parts(x: Tensor, blades: int, dtype: torch.dtype) -> Tensor:
    """A copy of (B*N, C, H, W) or (B*N, C) as (C, N, M)."""
    pixels = x.contiguous().flatten(2) if x.ndim > 2 else x.unsqueeze(-1)
    parts = torch.unflatten(pixels, 0, (-1, blades)).permute(2, 1, 0, 3)
    return parts.to(dtype, copy=True, memory_format=torch.contiguous_format).flatten(2)


def _merged(parts: Tensor, layout: Layout) -> Tensor:
    """(C, N, M) to numbers of a layout."""
    shape, dtype, channels_last = layout
    images = torch.unflatten(parts, 2, (shape[0] // parts.shape[1], -1))
    if channels_last:
        # torch has a fast kernel for the transpose of a matrix, but not for that of many.
        by_channel = images.transpose(1, 2).to(dtype, copy=True, memory_format=torch.contiguous_format)
        pixels = by_channel.view(shape[1], -1).t().contiguous()
        return pixels.view(shape[0], *shape[2:], shape[1]).permute(0, 3, 1, 2)
    return images.permute(2, 1, 0, 3).to(dtype, copy=True, memory_format=torch.contiguous_format).view(shape)


def _layout(x: Tensor) -> Layout:
    return x.shape, x.dtype, is_channels_last(x)


def full_precision(x: Tensor) -> AbstractContextManager[Any]:
    """No autocast on the device of `x`."""
    device = x.device.type
    return torch.autocast(device, enabled=False) if torch.amp.is_autocast_available(device) else nullcontext()
