"""NASNet-A (Zoph et al. 2018, "Learning Transferable Architectures for Scalable Image Recognition", figure 4).

Padding is TensorFlow's "same" and averages leave it out, as in the authors' code. Weights are He-normal over the
fan-out (of one channel, for depthwise convolutions), as theirs. Running statistics keep 0.9 of what they were at
each step; the authors' 0.9997 for the larger networks takes tens of thousands of steps to forget where it began.
The auxiliary head and the dropping of paths are left out.

Width: with P channels before the head, cells have F = P / width_divisor / 24 channels a branch, rounded down and then
up to an even number, because a cell may put its input together from two halves. The stem's cells have F / 4 and F / 2,
rounded down. Every other width follows, but for the first convolution, which is divided as everywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vernier.models.zoo.layers import SamePadding, divided

_CIFAR_EPSILON = 1e-5
_IMAGENET_EPSILON = 1e-3


def nasnet_cifar(num_classes: int, in_channels: int = 3, dropout: float = 0.0, width_divisor: float = 1.0) -> nn.Module:
    """NASNet-A (6 @ 768) for 32x32 images, 3.32 M parameters with 10 classes.

    (N, in_channels, H, W) to (N, num_classes), any H and W. The first convolution has 32 channels, as in UpStride;
    the authors' has 96.
    """
    stem = Stem(divided(32, width_divisor), stride=1, epsilon=_CIFAR_EPSILON)
    return NasNet(stem, _stages(_width(768, width_divisor), cells=6), num_classes, in_channels, dropout)


def nasnet_mobile(
    num_classes: int, in_channels: int = 3, dropout: float = 0.5, width_divisor: float = 1.0
) -> nn.Module:
    """NASNet-A (4 @ 1056) for 224x224 images, 5.29 M parameters with 1000 classes.

    (N, in_channels, H, W) to (N, num_classes), for H and W from 3 on.
    """
    width = _width(1056, width_divisor)
    stem = Stem(divided(32, width_divisor), stride=2, epsilon=_IMAGENET_EPSILON)
    return NasNet(stem, _stem_cells(width) + _stages(width, cells=4), num_classes, in_channels, dropout)


def nasnet_large(num_classes: int, in_channels: int = 3, dropout: float = 0.5, width_divisor: float = 1.0) -> nn.Module:
    """NASNet-A (6 @ 4032) for 331x331 images, 88.75 M parameters with 1000 classes.

    (N, in_channels, H, W) to (N, num_classes), for H and W from 3 on. timm's `nasnetalarge` has published weights.
    """
    width = _width(4032, width_divisor)
    stem = Stem(divided(96, width_divisor), stride=2, epsilon=_IMAGENET_EPSILON)
    cells = _stem_cells(width) + _stages(width, cells=6, remembered=False)
    return NasNet(stem, cells, num_classes, in_channels, dropout)


@final
@dataclass(frozen=True)
class Stem:
    """The first convolution, 3x3, and what all BatchNorms add to the variance.

    Attributes:
        channels: Of its output.
        stride: 1, with padding, or 2, without.
        epsilon: Of every BatchNorm of the network.
    """

    channels: int
    stride: int
    epsilon: float


@final
@dataclass(frozen=True)
class Features:
    """What a cell receives: its channels, and the pixels of the first map that one of its pixels stands for."""

    channels: int
    stride: int


@final
class NormalCell(nn.Module):
    """Five sums of pairs of branches, and the cell before the last, side by side: 6 x `width` channels.

    Args:
        previous: What the cell before received.
        current: What the cell before gave.
        width: Channels of a branch; even where `previous` is larger than `current`.
    """

    def __init__(self, previous: Features, current: Features, width: int) -> None:
        super().__init__()
        self.features = Features(6 * width, current.stride)
        self.adjust, _ = _adjustment(previous, current, width)
        self.squeeze = Pointwise(current.channels, width)
        self.pool = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
        self.current1 = _separable(width, width, 5)
        self.previous1 = _separable(width, width, 3)
        self.previous2a = _separable(width, width, 5)
        self.previous2b = _separable(width, width, 3)
        self.current5 = _separable(width, width, 3)

    def forward(self, previous: Tensor, current: Tensor) -> Tensor:
        """(N, C, H, W), `previous` also twice as large, to (N, 6 x width, H, W)."""
        previous, current = self.adjust(previous), self.squeeze(current)
        active_previous, active_current = F.relu(previous), F.relu(current)
        pooled = self.pool(previous)
        sums = (
            self.current1(active_current) + self.previous1(active_previous),
            self.previous2a(active_previous) + self.previous2b(active_previous),
            self.pool(current) + previous,
            pooled + pooled,
            self.current5(active_current) + current,
        )
        return torch.cat((previous, *sums), dim=1)


@final
class ReductionCell(nn.Module):
    """Five sums of pairs of branches at half the size, four of them side by side: 4 x `width` channels.

    Args:
        previous: What the cell before received; `current` itself in a first cell, which takes it as it is.
        current: What the cell before gave.
        width: Channels of a branch.
    """

    def __init__(self, previous: Features, current: Features, width: int) -> None:
        super().__init__()
        self.features = Features(4 * width, 2 * current.stride)
        first = previous is current
        self.adjust, adjusted = _unadjusted(previous) if first else _adjustment(previous, current, width)
        self.squeeze = Pointwise(current.channels, width)
        self.largest = HalvingMaxPool()
        self.mean = HalvingAvgPool()
        self.pool = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
        self.current1 = _separable(width, width, 5, stride=2)
        self.previous1 = _separable(adjusted, width, 7, stride=2)
        self.previous2 = _separable(adjusted, width, 7, stride=2)
        self.previous3 = _separable(adjusted, width, 5, stride=2)
        self.sum5 = _separable(width, width, 3)

    def forward(self, previous: Tensor, current: Tensor) -> Tensor:
        """(N, C, H, W), `previous` also twice as large, to (N, 4 x width, ceil(H / 2), ceil(W / 2))."""
        current = self.squeeze(current)
        active = F.relu(self.adjust(previous))
        largest = self.largest(current)
        first = self.current1(F.relu(current)) + self.previous1(active)
        second = largest + self.previous2(active)
        third = self.mean(current) + self.previous3(active)
        fourth = second + self.pool(first)
        fifth = self.sum5(F.relu(first)) + largest
        return torch.cat((second, third, fourth, fifth), dim=1)


@final
@dataclass(frozen=True)
class Step:
    """A cell of the network.

    Attributes:
        kind: Its class.
        width: Channels of a branch.
        remembered: Whether the next cell takes this one's input as what came before; if not, it takes what this
            one took. NASNet-A Large passes by its reductions so.
    """

    kind: type[NormalCell] | type[ReductionCell]
    width: int
    remembered: bool = True


@final
class NasNet(nn.Module):
    """A stem, cells that each take the outputs of the two before, global average, linear head.

    (N, in_channels, H, W) to (N, num_classes).
    """

    def __init__(self, stem: Stem, steps: Sequence[Step], num_classes: int, in_channels: int, dropout: float) -> None:
        super().__init__()
        padding = 1 if stem.stride == 1 else 0
        conv = _conv(in_channels, stem.channels, 3, stem.stride, padding)
        self.stem = nn.Sequential(conv, nn.BatchNorm2d(stem.channels))
        self.cells = nn.ModuleList()
        self.remembered = [step.remembered for step in steps]
        previous = current = Features(stem.channels, stride=1)
        for step in steps:
            cell = step.kind(previous, current, step.width)
            self.cells.append(cell)
            previous, current = current if step.remembered else previous, cell.features
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(current.channels, num_classes)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eps = stem.epsilon

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) of images (N, in_channels, H, W)."""
        previous = current = self.stem(images)
        for cell, remembered in zip(self.cells, self.remembered, strict=True):
            previous, current = current if remembered else previous, cell(previous, current)
        x = F.relu(current).mean(dim=(2, 3))
        return self.head(self.dropout(x))  # type: ignore[no-any-return]


@final
class Pointwise(nn.Module):
    """ReLU, a 1x1 convolution, BatchNorm."""

    def __init__(self, inputs: int, channels: int) -> None:
        super().__init__()
        self.conv = _conv(inputs, channels, 1)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, channels, H, W)."""
        return self.norm(self.conv(F.relu(x)))  # type: ignore[no-any-return]


@final
class TwoPathHalving(nn.Module):
    """ReLU, then half the size by 1x1 convolutions of the pixels at even and at odd places, BatchNorm.

    Each convolution gives `width` // 2 channels, at least 1.
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        half = max(1, width // 2)
        self.channels = 2 * half
        self.even = _conv(inputs, half, 1, stride=2)
        self.odd = _conv(inputs, half, 1, stride=2)
        self.norm = nn.BatchNorm2d(self.channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, channels, ceil(H / 2), ceil(W / 2)); beyond the border there are zeros."""
        x = F.relu(x)
        return self.norm(torch.cat((self.even(x), self.odd(F.pad(x, (-1, 1, -1, 1)))), dim=1))  # type: ignore[no-any-return]


@final
class HalvingMaxPool(nn.Module):
    """3x3 maxima with stride 2 and TensorFlow's "same" padding: around odd sizes, after even ones."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, ceil(H / 2), ceil(W / 2))."""
        return F.max_pool2d(x, 3, 2, padding=_before(x), ceil_mode=True)


@final
class HalvingAvgPool(nn.Module):
    """3x3 means with stride 2 over the pixels inside the image; places as in `HalvingMaxPool`."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, ceil(H / 2), ceil(W / 2))."""
        return F.avg_pool2d(x, 3, 2, padding=_before(x), ceil_mode=True, count_include_pad=False)


def _before(x: Tensor) -> tuple[int, int]:
    return x.shape[2] % 2, x.shape[3] % 2


def _width(last: int, width_divisor: float) -> int:
    width = divided(last, width_divisor) // 24
    return max(2, width + width % 2)


def _stem_cells(width: int) -> list[Step]:
    return [Step(ReductionCell, max(1, width // part)) for part in (4, 2)]


def _stages(width: int, cells: int, remembered: bool = True) -> list[Step]:
    first, second, third = ([Step(NormalCell, factor * width)] * cells for factor in (1, 2, 4))
    to_second, to_third = (Step(ReductionCell, factor * width, remembered) for factor in (2, 4))
    return [*first, to_second, *second, to_third, *third]


def _adjustment(previous: Features, current: Features, width: int) -> tuple[nn.Module, int]:
    """What brings `previous` to the size of `current` and to `width` channels, and the channels that it gives.

    They are one less than `width` where it is odd and the sizes differ: in the stem's cells, which only convolve them.
    """
    if previous.stride != current.stride:
        halving = TwoPathHalving(previous.channels, width)
        return halving, halving.channels
    if previous.channels != width:
        return Pointwise(previous.channels, width), width
    return _unadjusted(previous)


def _unadjusted(previous: Features) -> tuple[nn.Module, int]:
    return nn.Identity(), previous.channels


def _separable(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Twice a depthwise and a 1x1 convolution with BatchNorm, of an input that has been through ReLU."""
    return nn.Sequential(
        *_depthwise(inputs, kernel, stride),
        _conv(inputs, outputs, 1),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
        *_depthwise(outputs, kernel, stride=1),
        _conv(outputs, outputs, 1),
        nn.BatchNorm2d(outputs),
    )


def _depthwise(channels: int, kernel: int, stride: int) -> list[nn.Module]:
    if stride == 1:
        return [_conv(channels, channels, kernel, padding=kernel // 2, groups=channels)]
    return [SamePadding(kernel, stride), _conv(channels, channels, kernel, stride, groups=channels)]


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1, padding: int = 0, groups: int = 1) -> nn.Conv2d:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)
    fan_out = kernel * kernel * outputs // groups
    nn.init.normal_(conv.weight, std=(2 / fan_out) ** 0.5)
    return conv
