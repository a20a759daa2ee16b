"""Vernier's own networks: a name in the config is the name of a function here."""

from collections.abc import Callable

from torch import nn

from vernier.models.zoo.darknet import tiny_darknet
from vernier.models.zoo.digits_cnn import digits_cnn
from vernier.models.zoo.fd_mobilenet import fd_mobilenet, st_fd_mobilenet_v1
from vernier.models.zoo.mobilenet_v1 import mobilenet_v1
from vernier.models.zoo.nasnet import nasnet_cifar, nasnet_large, nasnet_mobile
from vernier.models.zoo.resnet_cifar import (
    resnet20_cifar,
    resnet32_cifar,
    resnet44_cifar,
    resnet56_cifar,
    resnet_cifar,
)
from vernier.models.zoo.st_custom import st_custom
from vernier.models.zoo.st_efficientnet_lc import st_efficientnet_lc_v1
from vernier.models.zoo.st_mnist import st_mnist
from vernier.models.zoo.st_resnet import st_resnet, st_resnet8, st_resnet20, st_resnet32
from vernier.models.zoo.wide_resnet import wide_resnet, wide_resnet28_10, wide_resnet40_2

ZOO: dict[str, Callable[..., nn.Module]] = {
    "digits_cnn": digits_cnn,
    "fd_mobilenet": fd_mobilenet,
    "mobilenet_v1": mobilenet_v1,
    "nasnet_cifar": nasnet_cifar,
    "nasnet_large": nasnet_large,
    "nasnet_mobile": nasnet_mobile,
    "resnet20_cifar": resnet20_cifar,
    "resnet32_cifar": resnet32_cifar,
    "resnet44_cifar": resnet44_cifar,
    "resnet56_cifar": resnet56_cifar,
    "resnet_cifar": resnet_cifar,
    "st_custom": st_custom,
    "st_efficientnet_lc_v1": st_efficientnet_lc_v1,
    "st_fd_mobilenet_v1": st_fd_mobilenet_v1,
    "st_mnist": st_mnist,
    "st_resnet": st_resnet,
    "st_resnet8": st_resnet8,
    "st_resnet20": st_resnet20,
    "st_resnet32": st_resnet32,
    "tiny_darknet": tiny_darknet,
    "wide_resnet": wide_resnet,
    "wide_resnet28_10": wide_resnet28_10,
    "wide_resnet40_2": wide_resnet40_2,
}
"""Every function takes `num_classes`, `in_channels`, `dropout` and `width_divisor`; some take `depth` or `alpha`."""

_PHOTOS = (224, 224)
_CIFAR = (32, 32)

INPUT_SIZES: dict[str, tuple[int, int]] = {
    "digits_cnn": (8, 8),
    "fd_mobilenet": _PHOTOS,
    "mobilenet_v1": _PHOTOS,
    "nasnet_cifar": _CIFAR,
    "nasnet_large": (331, 331),
    "nasnet_mobile": _PHOTOS,
    "resnet20_cifar": _CIFAR,
    "resnet32_cifar": _CIFAR,
    "resnet44_cifar": _CIFAR,
    "resnet56_cifar": _CIFAR,
    "resnet_cifar": _CIFAR,
    "st_custom": (128, 128),
    "st_efficientnet_lc_v1": _PHOTOS,
    "st_fd_mobilenet_v1": _PHOTOS,
    "st_mnist": (28, 28),
    "st_resnet": _CIFAR,
    "st_resnet8": _CIFAR,
    "st_resnet20": _CIFAR,
    "st_resnet32": _CIFAR,
    "tiny_darknet": _PHOTOS,
    "wide_resnet": _CIFAR,
    "wide_resnet28_10": _CIFAR,
    "wide_resnet40_2": _CIFAR,
}
"""Height and width that each network was designed for."""
