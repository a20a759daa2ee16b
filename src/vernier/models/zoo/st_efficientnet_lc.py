"""ST EfficientNet LC v1: EfficientNet-B0 (Tan and Le 2019) at low cost, for the STM32."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import final

from torch import Tensor, nn

from vernier.models.zoo.layers import StochasticDepth, conv_norm, divided, glorot_uniform, linear_head

_STEM = 16
_TOP = 576
_DROPPED_AT_THE_END = 0.2
"""Probability that the branch of a block after the last would be dropped; it grows from 0 in equal steps."""


@final
@dataclass(frozen=True)
class _Stage:
    channels: int
    repeats: int
    stride: int
    kernel: int
    expansion: int = 3


_STAGES = (
    _Stage(8, repeats=1, stride=1, kernel=3, expansion=1),
    _Stage(16, repeats=2, stride=2, kernel=3),
    _Stage(24, repeats=2, stride=2, kernel=5),
    _Stage(40, repeats=3, stride=2, kernel=3),
    _Stage(48, repeats=3, stride=1, kernel=5),
    _Stage(88, repeats=4, stride=2, kernel=5),
    _Stage(144, repeats=1, stride=1, kernel=3),
)
"""EfficientNet-B0's, its channels times 0.45 and rounded to multiples of 8."""


def st_efficientnet_lc_v1(
    num_classes: int, in_channels: int = 3, dropout: float = 0.0, width_divisor: float = 1.0
) -> nn.Module:
    """49 convolutions outside the gates; 0.5 M parameters with 5 classes.

    (N, in_channels, H, W) to (N, num_classes), any H and W; each of the five halvings rounds up. In training, the
    branches of residual blocks are dropped for single images with probabilities from 0.025 to 0.175 (Huang et al.
    2016), whatever `dropout` is.

    Args:
        num_classes: Outputs.
        in_channels: Channels of the image.
        dropout: Before the classifier.
        width_divisor: Divides the channels of every layer; inner widths follow from a block's input.
    """
    stem, top = divided(_STEM, width_divisor), divided(_TOP, width_divisor)
    widths = [divided(stage.channels, width_divisor) for stage in _STAGES]
    return nn.Sequential(
        OrderedDict(
            stem=nn.Sequential(OrderedDict(**conv_norm(in_channels, stem, 3, stride=2, bias=True), act=nn.ReLU6())),
            stages=_stages(stem, widths),
            top=nn.Sequential(OrderedDict(**conv_norm(widths[-1], top, 1, bias=True), act=nn.ReLU6())),
            **linear_head(top, num_classes, dropout),
        )
    ).apply(glorot_uniform)


@final
class SqueezeExcitation(nn.Module):
    """Each channel times a gate between 0.018 and 0.982 that depends on all channels' means (Hu et al. 2018)."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            OrderedDict(
                pool=nn.AdaptiveAvgPool2d(1),
                squeeze=nn.Conv2d(channels, squeezed, 1),
                act=nn.ReLU6(),
                excite=nn.Conv2d(squeezed, channels, 1),
                clip=nn.Hardtanh(-4, 4),
                sigmoid=nn.Sigmoid(),
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) to the same."""
        return x * self.gate(x)  # type: ignore[no-any-return]


@final
class Residual(nn.Module):
    """The input, and what a branch adds to it; in training, nothing for images drawn with probability `dropped`."""

    def __init__(self, branch: nn.Module, dropped: float) -> None:
        super().__init__()
        self.branch = branch
        self.drop = StochasticDepth(dropped)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same."""
        return x + self.drop(self.branch(x))  # type: ignore[no-any-return]


def _stages(stem: int, widths: list[int]) -> nn.Sequential:
    step = _DROPPED_AT_THE_END / sum(stage.repeats for stage in _STAGES)
    stages = nn.Sequential()
    inputs, number = stem, 0
    for stage, width in zip(_STAGES, widths, strict=True):
        blocks = nn.Sequential(_branch(stage, inputs, width, stage.stride))
        for repeat in range(1, stage.repeats):
            blocks.append(Residual(_branch(stage, width, width, stride=1), step * (number + repeat)))
        stages.append(blocks)
        inputs, number = width, number + stage.repeats
    return stages


def _branch(stage: _Stage, inputs: int, outputs: int, stride: int) -> nn.Sequential:
    """An inverted bottleneck: expansion, convolution in each channel, gate, projection without activation."""
    inner = stage.expansion * inputs
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    if stage.expansion > 1:
        layers["expand"] = nn.Sequential(OrderedDict(**conv_norm(inputs, inner, 1, bias=True), act=nn.ReLU6()))
    depthwise = conv_norm(inner, inner, stage.kernel, stride, groups=inner, bias=True)
    layers["depthwise"] = nn.Sequential(OrderedDict(**depthwise, act=nn.ReLU6()))
    layers["gate"] = SqueezeExcitation(inner, max(1, inputs // 4))
    layers["project"] = nn.Sequential(conv_norm(inner, outputs, 1, bias=True))
    return nn.Sequential(layers)
