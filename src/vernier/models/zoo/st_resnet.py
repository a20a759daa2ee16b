"""ResNet v1 for 32x32 images as the STM32 device zoo has it: biases everywhere, convolutions as shortcuts."""

from collections import OrderedDict
from typing import final

import torch.nn.functional as F
from torch import Tensor, nn

from vernier.errors import ModelError
from vernier.models.zoo.layers import conv_norm, divided, he_normal, linear_head

_WIDTHS = (16, 32, 64)


def st_resnet(
    num_classes: int, in_channels: int = 3, dropout: float = 0.0, width_divisor: float = 1.0, depth: int = 8
) -> nn.Module:
    """`depth` layers (He et al. 2016, section 4.2, with projections as shortcuts): 8 have 78 k parameters, 20 273 k.

    (N, in_channels, H, W) to (N, num_classes), any H and W; both halvings round up. The global average is the
    8x8 average of the device zoo at 32x32. The zoo trains it with an L2 penalty of 1e-4 on the convolutions.

    Args:
        num_classes: Outputs.
        in_channels: Channels of the image.
        dropout: Before the classifier.
        width_divisor: Divides the channels of every layer.
        depth: Convolutions and classifier: 8, 14, 20, ...

    Raises:
        ModelError: `depth` is not 6 k + 2.
    """
    blocks = _blocks_a_stage(depth)
    widths = [divided(width, width_divisor) for width in _WIDTHS]
    stem = nn.Sequential(OrderedDict(**conv_norm(in_channels, widths[0], 3, bias=True), act=nn.ReLU()))
    return nn.Sequential(
        OrderedDict(
            stem=stem,
            stage1=nn.Sequential(*(BasicBlock(widths[0], widths[0]) for _ in range(blocks))),
            stage2=_halving_stage(widths[0], widths[1], blocks),
            stage3=_halving_stage(widths[1], widths[2], blocks),
            **linear_head(widths[2], num_classes, dropout),
        )
    ).apply(he_normal)


def st_resnet8(num_classes: int, in_channels: int = 3, dropout: float = 0.0, width_divisor: float = 1.0) -> nn.Module:
    """8 layers, 78 k parameters."""
    return st_resnet(num_classes, in_channels, dropout, width_divisor, depth=8)


def st_resnet20(num_classes: int, in_channels: int = 3, dropout: float = 0.0, width_divisor: float = 1.0) -> nn.Module:
    """20 layers, 273 k parameters."""
    return st_resnet(num_classes, in_channels, dropout, width_divisor, depth=20)


def st_resnet32(num_classes: int, in_channels: int = 3, dropout: float = 0.0, width_divisor: float = 1.0) -> nn.Module:
    """32 layers, 468 k parameters."""
    return st_resnet(num_classes, in_channels, dropout, width_divisor, depth=32)


@final
class BasicBlock(nn.Module):
    """Two 3x3 convolutions with BatchNorm beside a shortcut, ReLU after the sum.

    A block that halves the image has a strided 1x1 convolution, with a bias and no BatchNorm, as its shortcut.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.Sequential(OrderedDict(**conv_norm(inputs, outputs, 3, stride, bias=True), act=nn.ReLU())),
            nn.Sequential(conv_norm(outputs, outputs, 3, bias=True)),
        )
        self.shortcut = nn.Identity() if stride == 1 else nn.Conv2d(inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, ceil(H / stride), ceil(W / stride))."""
        return F.relu(self.branch(x) + self.shortcut(x))


def _halving_stage(inputs: int, outputs: int, blocks: int) -> nn.Sequential:
    first = BasicBlock(inputs, outputs, stride=2)
    return nn.Sequential(first, *(BasicBlock(outputs, outputs) for _ in range(blocks - 1)))


def _blocks_a_stage(depth: int) -> int:
    blocks, rest = divmod(depth - 2, 6)
    if blocks < 1 or rest:
        below = max(8, depth - rest)
        raise ModelError(
            f"model.depth={depth}: st_resnet has 6 k + 2 layers, k from 1 on (8, 14, 20, 26, 32, ...); "
            f"set model.depth={below}"
        )
    return blocks
