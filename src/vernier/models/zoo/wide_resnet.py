"""Wide ResNets for small images (Zagoruyko and Komodakis 2016): pre-activation blocks of two 3x3 convolutions."""

from typing import final

import torch.nn.functional as F
from torch import Tensor, nn

from vernier.errors import ModelError
from vernier.models.zoo.layers import divided

DEPTHS = tuple(range(10, 77, 6))
"""Depths of `wide_resnet` to choose from; any larger 6n + 4 works too."""


def wide_resnet28_10(
    num_classes: int, in_channels: int = 3, dropout: float = 0.0, width_divisor: float = 1.0
) -> nn.Module:
    """WRN-28-10, 36.48 M parameters."""
    return wide_resnet(num_classes, in_channels, dropout, width_divisor, depth=28, widen_factor=10)


def wide_resnet40_2(
    num_classes: int, in_channels: int = 3, dropout: float = 0.0, width_divisor: float = 1.0
) -> nn.Module:
    """WRN-40-2, 2.24 M parameters."""
    return wide_resnet(num_classes, in_channels, dropout, width_divisor, depth=40, widen_factor=2)


def wide_resnet(
    num_classes: int,
    in_channels: int = 3,
    dropout: float = 0.0,
    width_divisor: float = 1.0,
    depth: int = 28,
    widen_factor: int = 10,
) -> nn.Module:
    """WRN-depth-widen_factor: three groups of (depth - 4) / 6 blocks, 16, 32 and 64 times `widen_factor` channels.

    Args:
        num_classes: Logits.
        in_channels: Channels of the image.
        dropout: Probability before the head; the blocks have none.
        width_divisor: Divides the channels of every layer, of the stem as well.
        depth: 6n + 4.
        widen_factor: k of the paper.

    Raises:
        ModelError: there is no network of this depth.
    """
    blocks, rest = divmod(depth - 4, 6)
    if rest or blocks < 1:
        raise ModelError(
            f"model.depth={depth}: wide_resnet has 6n + 4 layers; set one of {', '.join(map(str, DEPTHS))} "
            "or a larger one"
        )
    stem = divided(16, width_divisor)
    groups = tuple(divided(width * widen_factor, width_divisor) for width in (16, 32, 64))
    return WideResNet(stem, groups, blocks, num_classes, in_channels, dropout)


@final
class WideResNet(nn.Module):
    """A 3x3 stem, three groups of blocks, BatchNorm and ReLU, global average, linear head.

    (N, in_channels, H, W) to (N, num_classes); any H and W. Weights are He-normal over the fan-out, as the authors'.
    """

    def __init__(
        self,
        stem: int,
        groups: tuple[int, ...],
        blocks: int,
        num_classes: int,
        in_channels: int,
        dropout: float,
    ) -> None:
        super().__init__()
        first, second, third = groups
        self.stem = _conv(in_channels, stem, 3)
        self.group1 = _group(stem, first, blocks, stride=1)
        self.group2 = _group(first, second, blocks, stride=2)
        self.group3 = _group(second, third, blocks, stride=2)
        self.norm = nn.BatchNorm2d(third)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(third, num_classes)
        nn.init.zeros_(self.head.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) of images (N, in_channels, H, W)."""
        x = self.group3(self.group2(self.group1(self.stem(images))))
        x = F.relu(self.norm(x)).mean(dim=(2, 3))
        return self.head(self.dropout(x))  # type: ignore[no-any-return]


@final
class PlainBlock(nn.Module):
    """BatchNorm, ReLU and a 3x3 convolution, twice, beside the input as it is."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(width)
        self.conv1 = _conv(width, width, 3)
        self.norm2 = nn.BatchNorm2d(width)
        self.conv2 = _conv(width, width, 3)

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, H, W) to the same shape."""
        y = self.conv1(F.relu(self.norm1(x)))
        return x + self.conv2(F.relu(self.norm2(y)))  # type: ignore[no-any-return]


@final
class ProjectionBlock(nn.Module):
    """The first block of a group: both paths start from the activated input, one through a 1x1 convolution."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = _conv(inputs, outputs, 3, stride)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.conv2 = _conv(outputs, outputs, 3)
        self.shortcut = _conv(inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, ceil(H / stride), ceil(W / stride))."""
        x = F.relu(self.norm1(x))
        return self.shortcut(x) + self.conv2(F.relu(self.norm2(self.conv1(x))))  # type: ignore[no-any-return]


def _group(inputs: int, outputs: int, blocks: int, stride: int) -> nn.Sequential:
    plain = stride == 1 and inputs == outputs
    first = PlainBlock(outputs) if plain else ProjectionBlock(inputs, outputs, stride)
    return nn.Sequential(first, *(PlainBlock(outputs) for _ in range(blocks - 1)))


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return conv
