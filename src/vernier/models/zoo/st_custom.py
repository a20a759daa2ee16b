"""The STM32 device zoo's example of a network of one's own."""

from collections import OrderedDict

from torch import nn

from vernier.models.zoo.layers import conv_norm, divided, glorot_uniform, linear_head

_WIDTHS = (16, 32, 64)


def st_custom(num_classes: int, in_channels: int = 3, dropout: float = 0.0, width_divisor: float = 1.0) -> nn.Module:
    """Three 3x3 convolutions, each followed by a halving; the third halves by itself too. 24 k parameters.

    (N, in_channels, H, W) to (N, num_classes), H and W from 12 on; pooling rounds down.
    """
    first, second, last = (divided(width, width_divisor) for width in _WIDTHS)
    return nn.Sequential(
        OrderedDict(
            layer1=_layer(in_channels, first),
            layer2=_layer(first, second),
            layer3=_layer(second, last, stride=2),
            **linear_head(last, num_classes, dropout),
        )
    ).apply(glorot_uniform)


def _layer(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    conv = conv_norm(inputs, outputs, 3, stride, bias=False)
    return nn.Sequential(OrderedDict(**conv, act=nn.ReLU(), halve=nn.MaxPool2d(2)))
