"""From real numbers to hypercomplex ones: how an image gets its N parts.

A batch of B images over an algebra with N blades is a real tensor of B*N rows; row b*N + n is blade n of image b.
"""

from collections.abc import Callable
from typing import final

import torch
from torch import Tensor, nn

_GREY = (0.299, 0.587, 0.114)
"""Luma of ITU-R BT.601, as everywhere in Vernier."""


@final
class BasicInput(nn.Module):
    """(B, ...) to (B*N, ...): the scalar part, and zeros for the other blades."""

    def __init__(self, blades: int) -> None:
        super().__init__()
        self.blades = blades

    def forward(self, x: Tensor) -> Tensor:
        """(B, ...) to (B*N, ...)."""
        zeros = torch.zeros_like(x)
        return torch.stack([x, *[zeros] * (self.blades - 1)], dim=1).flatten(0, 1)

    def extra_repr(self) -> str:
        """The number of blades."""
        return f"blades={self.blades}"


@final
class LearnedInput(nn.Module):
    """(B, ...) to (B*N, ...): the scalar part, and a small network of its own for each other blade.

    Trabelsi et al. 2018, "Deep Complex Networks", section 3.7.
    """

    def __init__(self, blades: int, network: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(network() for _ in range(blades - 1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, ...) to (B*N, ...)."""
        return torch.stack([x, *(part(x) for part in self.parts)], dim=1).flatten(0, 1)


@final
class JointInput(nn.Module):
    """(B, 3, H, W) to (B*4, 1, H, W): red, green and blue are the imaginary parts, the scalar part is 0."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) to (B*4, 1, H, W)."""
        return torch.cat([torch.zeros_like(x[:, :1]), x], dim=1).flatten(0, 1).unsqueeze(1)


@final
class GrayscaleInput(nn.Module):
    """(B, 3, H, W) to (B*4, 1, H, W): as `JointInput`, with the grey value as the scalar part.

    Grey is 0.299 R + 0.587 G + 0.114 B of the normalised channels.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) to (B*4, 1, H, W)."""
        red, green, blue = (weight * x[:, place : place + 1] for place, weight in enumerate(_GREY))
        return torch.cat([red + green + blue, x], dim=1).flatten(0, 1).unsqueeze(1)


def convolutional_part(channels: int) -> nn.Module:
    """A blade learned from an image: BatchNorm, ReLU and a 3x3 convolution, twice, (B, C, H, W) to the same."""
    return nn.Sequential(
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        _glorot(nn.Conv2d(channels, channels, 3, padding=1, bias=False)),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        _glorot(nn.Conv2d(channels, channels, 3, padding=1, bias=False)),
    )


def linear_part(features: int) -> nn.Module:
    """A blade learned from features: as from an image, with linear layers, (B, F) to the same."""
    return nn.Sequential(
        nn.BatchNorm1d(features),
        nn.ReLU(),
        _glorot(nn.Linear(features, features, bias=False)),
        nn.BatchNorm1d(features),
        nn.ReLU(),
        _glorot(nn.Linear(features, features, bias=False)),
    )


def _glorot(layer: nn.Conv2d | nn.Linear) -> nn.Module:
    nn.init.xavier_uniform_(layer.weight)
    return layer
