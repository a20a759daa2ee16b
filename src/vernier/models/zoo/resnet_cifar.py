"""ResNets for 32x32 images (He et al. 2016, section 4.2), with parameter-free shortcuts (option A)."""

from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vernier.errors import ModelError
from vernier.models.zoo.layers import divided

DEPTHS = tuple(range(8, 111, 6))
"""Depths of `resnet_cifar` to choose from; any larger 6n + 2 works too."""

_WIDTHS = (16, 32, 64)


def resnet20_cifar(
    num_classes: int, in_channels: int = 3, dropout: float = 0.0, width_divisor: float = 1.0
) -> nn.Module:
    """20 layers, 0.27 M parameters."""
    return resnet_cifar(num_classes, in_channels, dropout, width_divisor, depth=20)


def resnet32_cifar(
    num_classes: int, in_channels: int = 3, dropout: float = 0.0, width_divisor: float = 1.0
) -> nn.Module:
    """32 layers, 0.46 M parameters."""
    return resnet_cifar(num_classes, in_channels, dropout, width_divisor, depth=32)


def resnet44_cifar(
    num_classes: int, in_channels: int = 3, dropout: float = 0.0, width_divisor: float = 1.0
) -> nn.Module:
    """44 layers, 0.66 M parameters."""
    return resnet_cifar(num_classes, in_channels, dropout, width_divisor, depth=44)


def resnet56_cifar(
    num_classes: int, in_channels: int = 3, dropout: float = 0.0, width_divisor: float = 1.0
) -> nn.Module:
    """56 layers, 0.85 M parameters."""
    return resnet_cifar(num_classes, in_channels, dropout, width_divisor, depth=56)


def resnet_cifar(
    num_classes: int, in_channels: int = 3, dropout: float = 0.0, width_divisor: float = 1.0, depth: int = 20
) -> nn.Module:
    """Any depth of 6n + 2 layers: three stages of n blocks of two, the stem and the head.

    Raises:
        ModelError: there is no network of this depth.
    """
    blocks, rest = divmod(depth - 2, 6)
    if rest or blocks < 1:
        raise ModelError(
            f"model.depth={depth}: resnet_cifar has 6n + 2 layers; set one of {', '.join(map(str, DEPTHS))} "
            "or a larger one"
        )
    widths = tuple(divided(width, width_divisor) for width in _WIDTHS)
    return ResNetCifar(blocks, widths, num_classes, in_channels, dropout)


@final
class ResNetCifar(nn.Module):
    """A 3x3 stem, three stages of `blocks` blocks with a width each, global average, linear head.

    (N, in_channels, H, W) to (N, num_classes); any H and W. Weights are He-normal over the fan-out.
    """

    def __init__(
        self, blocks: int, widths: tuple[int, ...], num_classes: int, in_channels: int, dropout: float
    ) -> None:
        super().__init__()
        first, second, third = widths
        self.stem = _conv3x3(in_channels, first, stride=1)
        self.norm = nn.BatchNorm2d(first)
        self.stage1 = _stage(first, first, blocks, stride=1)
        self.stage2 = _stage(first, second, blocks, stride=2)
        self.stage3 = _stage(second, third, blocks, stride=2)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(third, num_classes)
        self.apply(_he_normal)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) of images (N, in_channels, H, W)."""
        x = F.relu(self.norm(self.stem(images)))
        x = self.stage3(self.stage2(self.stage1(x)))
        return self.head(self.dropout(x.mean(dim=(2, 3))))  # type: ignore[no-any-return]


@final
class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut that subsamples and pads channels with zeros."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = _conv3x3(inputs, outputs, stride)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = _conv3x3(outputs, outputs, stride=1)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.stride = stride
        self.new_channels = outputs - inputs

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, ceil(H / stride), ceil(W / stride))."""
        residual = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(residual + self._shortcut(x))

    def _shortcut(self, x: Tensor) -> Tensor:
        if self.stride > 1:
            x = x[:, :, :: self.stride, :: self.stride]
        if self.new_channels == 0:
            return x
        before = self.new_channels // 2
        return F.pad(x, (0, 0, 0, 0, before, self.new_channels - before))


def _stage(inputs: int, outputs: int, blocks: int, stride: int) -> nn.Sequential:
    first = BasicBlock(inputs, outputs, stride)
    return nn.Sequential(first, *(BasicBlock(outputs, outputs, stride=1) for _ in range(blocks - 1)))


def _conv3x3(inputs: int, outputs: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)


@torch.no_grad()
def _he_normal(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
