"""A small convolutional network for small pictures of one thing, such as 8x8 or 28x28 digits."""

from torch import nn

from vernier.models.zoo.layers import divided


def digits_cnn(num_classes: int, in_channels: int = 1, dropout: float = 0.0, width_divisor: float = 1.0) -> nn.Module:
    """Four 3x3 convolutions with BatchNorm, one halving, global average, linear head; 66 k parameters.

    (N, in_channels, H, W) to (N, num_classes), for H and W from 2 on.
    """
    narrow, wide = divided(32, width_divisor), divided(64, width_divisor)
    return nn.Sequential(
        *_block(in_channels, narrow),
        *_block(narrow, narrow),
        nn.MaxPool2d(2),
        *_block(narrow, wide),
        *_block(wide, wide),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(dropout),
        nn.Linear(wide, num_classes),
    )


def _block(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    return conv, nn.BatchNorm2d(outputs), nn.ReLU()
