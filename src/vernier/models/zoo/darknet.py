"""The Darknet reference network (Redmon 2013-2016, "Darknet: Open source neural networks in C")."""

from typing import final

import torch.nn.functional as F
from torch import Tensor, nn

from vernier.models.zoo.layers import divided

_WIDTHS = (16, 32, 64, 128, 256)
_LAST_WIDTHS = (512, 1024)
_SLOPE = 0.1


def tiny_darknet(num_classes: int, in_channels: int = 3, dropout: float = 0.0, width_divisor: float = 1.0) -> nn.Module:
    """Seven 3x3 convolutions with BatchNorm and leaky ReLU, five halvings, global average; 7.32 M parameters.

    (N, in_channels, H, W) to (N, num_classes), any H and W; halvings round up. It is named as UpStride names it.
    Redmon's own "Tiny Darknet" is another network, with squeezing 1x1 convolutions and 1 M parameters. The pool
    after 512 channels keeps the size of its input; in Redmon's reference network it halves. His classifier, a 1x1
    convolution before the global average, is the same function as the linear layer after it here.

    Weights are He-normal over the fan-in, as Darknet draws them.
    """
    *widths, late, last = (divided(width, width_divisor) for width in (*_WIDTHS, *_LAST_WIDTHS))
    layers: list[nn.Module] = []
    for inputs, outputs in zip((in_channels, *widths), widths, strict=False):
        layers += [*_block(inputs, outputs), nn.MaxPool2d(2, ceil_mode=True)]
    return nn.Sequential(
        *layers,
        *_block(widths[-1], late),
        SameSizeMaxPool(),
        *_block(late, last),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(dropout),
        nn.Linear(last, num_classes),
    )


@final
class SameSizeMaxPool(nn.Module):
    """The largest of each pixel and its neighbours to the right, below and both, as far as the image goes."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape."""
        return F.max_pool2d(x, 2, stride=1, padding=1)[:, :, 1:, 1:]


def _block(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    return conv, nn.BatchNorm2d(outputs), nn.LeakyReLU(_SLOPE)
