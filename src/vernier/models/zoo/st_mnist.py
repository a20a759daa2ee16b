"""ST-MNIST: the STM32 device zoo's network for handwritten characters."""

from collections import OrderedDict

from torch import nn

from vernier.models.zoo.layers import conv_norm, divided, glorot_uniform, linear_head

_WIDTHS = (16, 32, 64)


def st_mnist(num_classes: int, in_channels: int = 1, dropout: float = 0.0, width_divisor: float = 1.0) -> nn.Module:
    """Five convolutions, two of them in each channel alone, and two halvings; 10 k parameters with 36 classes.

    (N, in_channels, H, W) to (N, num_classes), any H and W; made for 28x28 in one channel.
    """
    first, second, last = (divided(width, width_divisor) for width in _WIDTHS)
    return nn.Sequential(
        OrderedDict(
            layer1=_layer(in_channels, first, 3, stride=2),
            layer2=_layer(first, first, 3, groups=first),
            layer3=_layer(first, second, 3),
            layer4=_layer(second, second, 3, stride=2, groups=second),
            layer5=_layer(second, last, 1),
            **linear_head(last, num_classes, dropout),
        )
    ).apply(glorot_uniform)


def _layer(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        OrderedDict(**conv_norm(inputs, outputs, kernel, stride, groups=groups, bias=True), act=nn.ReLU())
    )
