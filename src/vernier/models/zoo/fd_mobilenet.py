"""FD-MobileNet (Qin et al. 2018): MobileNet v1 that halves the image in each of its first layers."""

from collections import OrderedDict
from collections.abc import Sequence

from torch import nn

from vernier.models.zoo.layers import conv_norm, divided, glorot_uniform, linear_head, same_conv

_STEM = 32
_BLOCKS = (
    (64, 2),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (1024, 1),
)
"""Output channels and stride of each block."""

_ST_ALPHAS = (0.5, 0.75, 0.625, 0.5, 0.375, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25)
"""Of the stem and each block."""


def fd_mobilenet(
    num_classes: int, in_channels: int = 3, dropout: float = 0.0, width_divisor: float = 1.0, alpha: float = 1.0
) -> nn.Module:
    """24 layers; with 1000 classes 2.90 M trained parameters at alpha 1, 0.38 M at alpha 0.25.

    (N, in_channels, H, W) to (N, num_classes), any H and W; each of the five halvings rounds up. As in the device
    zoo, the depthwise convolutions have a bias and neither BatchNorm nor activation. Its classifier, a 1x1
    convolution of the pooled 1x1 map, is the same thing as the linear layer here.

    Args:
        num_classes: Outputs.
        in_channels: Channels of the image.
        dropout: Before the classifier.
        width_divisor: Divides the channels that `alpha` leaves.
        alpha: Factor on the channels of every layer, rounded down.
    """
    alphas = (alpha,) * (1 + len(_BLOCKS))
    return _network(alphas, num_classes, in_channels, dropout, width_divisor)


def st_fd_mobilenet_v1(
    num_classes: int, in_channels: int = 3, dropout: float = 0.0, width_divisor: float = 1.0
) -> nn.Module:
    """FD-MobileNet with wider early and narrower late layers: 0.14 M trained parameters with 5 classes."""
    return _network(_ST_ALPHAS, num_classes, in_channels, dropout, width_divisor)


def _network(
    alphas: Sequence[float], num_classes: int, in_channels: int, dropout: float, width_divisor: float
) -> nn.Module:
    channels = (_STEM, *(channels for channels, _ in _BLOCKS))
    widths = [divided(int(c * alpha), width_divisor) for c, alpha in zip(channels, alphas, strict=True)]
    stem = nn.Sequential(OrderedDict(**conv_norm(in_channels, widths[0], 3, stride=2, bias=False), act=nn.ReLU()))
    blocks = nn.Sequential()
    for i, (_, stride) in enumerate(_BLOCKS):
        blocks.append(_depthwise_separable(widths[i], widths[i + 1], stride))
    head = linear_head(widths[-1], num_classes, dropout)
    return nn.Sequential(OrderedDict(stem=stem, blocks=blocks, **head)).apply(glorot_uniform)


def _depthwise_separable(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    depthwise = same_conv("depthwise", inputs, inputs, 3, stride, groups=inputs, bias=True)
    return nn.Sequential(OrderedDict(**depthwise, **conv_norm(inputs, outputs, 1, bias=False), act=nn.ReLU()))
