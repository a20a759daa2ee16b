"""ResNets for 32x32 images (He et al. 2016, section 4.2), with parameter-free shortcuts (option A)."""

from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_WIDTHS = (16, 32, 64)


def resnet20_cifar(num_classes: int, in_channels: int = 3, dropout: float = 0.0) -> nn.Module:
    """20 layers, 0.27 M parameters."""
    return ResNetCifar(3, num_classes, in_channels, dropout)


def resnet32_cifar(num_classes: int, in_channels: int = 3, dropout: float = 0.0) -> nn.Module:
    """32 layers, 0.46 M parameters."""
    return ResNetCifar(5, num_classes, in_channels, dropout)


def resnet44_cifar(num_classes: int, in_channels: int = 3, dropout: float = 0.0) -> nn.Module:
    """44 layers, 0.66 M parameters."""
    return ResNetCifar(7, num_classes, in_channels, dropout)


def resnet56_cifar(num_classes: int, in_channels: int = 3, dropout: float = 0.0) -> nn.Module:
    """56 layers, 0.85 M parameters."""
    return ResNetCifar(9, num_classes, in_channels, dropout)


@final
class ResNetCifar(nn.Module):
    """A 3x3 stem, three stages of `blocks` blocks with 16, 32 and 64 channels, global average, linear head.

    (N, in_channels, H, W) to (N, num_classes); any H and W. Weights are He-normal over the fan-out.
    """

    def __init__(self, blocks: int, num_classes: int, in_channels: int, dropout: float) -> None:
        super().__init__()
        self.stem = _conv3x3(in_channels, _WIDTHS[0], stride=1)
        self.norm = nn.BatchNorm2d(_WIDTHS[0])
        self.stage1 = _stage(_WIDTHS[0], _WIDTHS[0], blocks, stride=1)
        self.stage2 = _stage(_WIDTHS[0], _WIDTHS[1], blocks, stride=2)
        self.stage3 = _stage(_WIDTHS[1], _WIDTHS[2], blocks, stride=2)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(_WIDTHS[2], num_classes)
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
        self.padding = (outputs - inputs) // 2

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, ceil(H / stride), ceil(W / stride))."""
        residual = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(residual + self._shortcut(x))

    def _shortcut(self, x: Tensor) -> Tensor:
        if self.padding == 0:
            return x
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.padding, self.padding))


def _stage(inputs: int, outputs: int, blocks: int, stride: int) -> nn.Sequential:
    first = BasicBlock(inputs, outputs, stride)
    return nn.Sequential(first, *(BasicBlock(outputs, outputs, stride=1) for _ in range(blocks - 1)))


def _conv3x3(inputs: int, outputs: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)


@torch.no_grad()
def _he_normal(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
