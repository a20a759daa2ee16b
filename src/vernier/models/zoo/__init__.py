"""Vernier's own networks: a name in the config is the name of a function here."""

from collections.abc import Callable

from torch import nn

from vernier.models.zoo.digits_cnn import digits_cnn
from vernier.models.zoo.resnet_cifar import resnet20_cifar, resnet32_cifar, resnet44_cifar, resnet56_cifar

ZOO: dict[str, Callable[..., nn.Module]] = {
    "digits_cnn": digits_cnn,
    "resnet20_cifar": resnet20_cifar,
    "resnet32_cifar": resnet32_cifar,
    "resnet44_cifar": resnet44_cifar,
    "resnet56_cifar": resnet56_cifar,
}
"""Every function takes `num_classes`, `in_channels`, `dropout` and `width_divisor`; some take `depth`."""

INPUT_SIZES: dict[str, tuple[int, int]] = {
    "digits_cnn": (8, 8),
    "resnet20_cifar": (32, 32),
    "resnet32_cifar": (32, 32),
    "resnet44_cifar": (32, 32),
    "resnet56_cifar": (32, 32),
}
"""Height and width that each network was designed for."""
