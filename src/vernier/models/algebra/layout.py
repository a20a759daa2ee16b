"""Where the parts of a number lie: on the batch between layers, on the channels inside a linear one."""

from abc import ABC, abstractmethod
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class HyperLayer(nn.Module, ABC):
    """A layer that computes with whole numbers, all blades of one together; whoever traces a network stops at it."""

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """(B*N, C, ...) to (B*N, C', ...), row b*N + n being blade n of image b."""


def to_blocks(x: Tensor, blades: int, groups: int = 1) -> Tensor:
    """Move the blades from the batch to the channels.

    Channel g*N*(C/G) + n*(C/G) + c of the result is channel g*(C/G) + c of blade n, so that a real layer of G groups
    finds all blades of a group together. Free for one group in contiguous memory, else a copy; channels stay last in
    memory where they were.

    Args:
        x: (B*N, C, H, W).
        blades: N.
        groups: G, divides C.

    Returns:
        (B, N*C, H, W).
    """
    if is_channels_last(x):
        apply = _ToBlocks.apply if torch.is_grad_enabled() else _to_blocks
        return cast(Tensor, apply(x, blades, groups))
    parts = torch.unflatten(torch.unflatten(x, 0, (-1, blades)), 2, (groups, -1))
    return parts.transpose(1, 2).flatten(1, 3)


def from_blocks(y: Tensor, blades: int, groups: int = 1) -> Tensor:
    """Move the blades from the channels back to the batch, (B, N*C, H, W) to (B*N, C, H, W); undoes `to_blocks`."""
    if is_channels_last(y):
        apply = _FromBlocks.apply if torch.is_grad_enabled() else _from_blocks
        return cast(Tensor, apply(y, blades, groups))
    parts = torch.unflatten(y, 1, (groups, blades, -1))
    return parts.transpose(1, 2).flatten(2, 3).flatten(0, 1)


def is_channels_last(x: Tensor) -> bool:
    """Whether the channels of an image tensor are last in memory, and not both ways (one channel, or one pixel)."""
    return x.ndim == 4 and not x.is_contiguous() and x.is_contiguous(memory_format=torch.channels_last)


class _ToBlocks(torch.autograd.Function):
    """`to_blocks` with channels last, also those of the gradient: autograd would put them first."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, blades: int, groups: int) -> Tensor:
        """As `to_blocks`."""
        ctx.blades, ctx.groups = blades, groups
        return _to_blocks(x, blades, groups)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        """Gradient of x."""
        return _from_blocks(gradient, ctx.blades, ctx.groups), None, None


class _FromBlocks(torch.autograd.Function):
    """`from_blocks` in the same way."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, blades: int, groups: int) -> Tensor:
        """As `from_blocks`."""
        ctx.blades, ctx.groups = blades, groups
        return _from_blocks(y, blades, groups)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        """Gradient of y."""
        return _to_blocks(gradient, ctx.blades, ctx.groups), None, None


def _to_blocks(x: Tensor, blades: int, groups: int) -> Tensor:
    pixels = torch.unflatten(torch.unflatten(x.permute(0, 2, 3, 1), 3, (groups, -1)), 0, (-1, blades))
    return pixels.permute(0, 2, 3, 4, 1, 5).flatten(3).permute(0, 3, 1, 2)


def _from_blocks(y: Tensor, blades: int, groups: int) -> Tensor:
    pixels = torch.unflatten(y.permute(0, 2, 3, 1), 3, (groups, blades, -1))
    return pixels.permute(0, 4, 1, 2, 3, 5).flatten(4).flatten(0, 1).permute(0, 3, 1, 2)
