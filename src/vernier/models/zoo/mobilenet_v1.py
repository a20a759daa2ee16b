"""MobileNet v1 (Howard et al. 2017, table 1): depthwise separable convolutions."""

from collections import OrderedDict

from torch import nn

from vernier.models.zoo.layers import batch_norm, divided, glorot_uniform, linear_head, same_conv

_STEM = 32
_STAGES = (
    ((64, 1),),
    ((128, 2), (128, 1)),
    ((256, 2), (256, 1)),
    ((512, 2), (512, 1), (512, 1), (512, 1), (512, 1), (512, 1)),
    ((1024, 2), (1024, 1)),
)
"""Output channels and stride of each block."""


def mobilenet_v1(
    num_classes: int, in_channels: int = 3, dropout: float = 0.0, width_divisor: float = 1.0, alpha: float = 1.0
) -> nn.Module:
    """28 layers; with 1000 classes 4.23 M trained parameters at alpha 1, 0.47 M at alpha 0.25.

    (N, in_channels, H, W) to (N, num_classes), any H and W. Parameters have the names of timm's `mobilenetv1_100`;
    padding and BatchNorm are Keras's, so weights trained there fit. Each of the five halvings rounds up; at odd sizes
    the device zoo's network rounds down instead.

    Args:
        num_classes: Outputs.
        in_channels: Channels of the image.
        dropout: Before the classifier.
        width_divisor: Divides the channels that `alpha` leaves.
        alpha: Factor on the channels of every layer, rounded down.
    """

    def width(channels: int) -> int:
        return divided(int(channels * alpha), width_divisor)

    stem = width(_STEM)
    blocks = nn.Sequential()
    inputs = stem
    for stage in _STAGES:
        layers = nn.Sequential()
        for channels, stride in stage:
            layers.append(_depthwise_separable(inputs, width(channels), stride))
            inputs = width(channels)
        blocks.append(layers)
    conv = same_conv("conv_stem", in_channels, stem, 3, stride=2, bias=False)
    head = linear_head(inputs, num_classes, dropout)
    module = nn.Sequential(OrderedDict(**conv, bn1=batch_norm(stem), act=nn.ReLU6(), blocks=blocks, **head))
    return module.apply(glorot_uniform)


def _depthwise_separable(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    """A 3x3 convolution in each channel, then a 1x1 convolution; BatchNorm and ReLU6 after both."""
    depthwise = same_conv("conv_dw", inputs, inputs, 3, stride, groups=inputs, bias=False)
    pointwise = same_conv("conv_pw", inputs, outputs, 1, bias=False)
    return nn.Sequential(
        OrderedDict(
            **depthwise, bn1=batch_norm(inputs), act1=nn.ReLU6(), **pointwise, bn2=batch_norm(outputs), act2=nn.ReLU6()
        )
    )
