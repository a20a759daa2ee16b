"""Layers with the settings that Keras gives them, for the networks that were designed there."""

from collections import OrderedDict
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_NORMAL_CUT_AT_TWO = 0.87962566
"""Standard deviation of a standard normal variable that is cut off at two standard deviations."""


def divided(channels: int, width_divisor: float) -> int:
    """Width of a layer of `channels` channels in a network made narrower: max(1, floor(channels / width_divisor))."""
    return max(1, int(channels / width_divisor))


@final
class SamePadding(nn.Module):
    """TensorFlow's "same" padding with zeros, to stand before a strided convolution that pads nothing.

    The convolution then gives ceil(H / stride) rows. An odd number of rows has the extra one below, and an odd
    number of columns the extra one at the right: with stride 2, even sizes are padded there only.

    Args:
        kernel: Side of the convolution's kernel, at least `stride`.
        stride: The convolution's stride.
    """

    def __init__(self, kernel: int, stride: int) -> None:
        super().__init__()
        self.kernel = kernel
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) with zeros around; the memory format stays."""
        return F.pad(x, (*self._around(x.shape[3]), *self._around(x.shape[2])))

    def _around(self, size: int) -> tuple[int, int]:
        total = self.kernel - self.stride + (-size) % self.stride
        return total // 2, total - total // 2

    def extra_repr(self) -> str:
        """Kernel and stride."""
        return f"kernel={self.kernel}, stride={self.stride}"


@final
class StochasticDepth(nn.Module):
    """In training, zeros for single images, drawn with probability `drop_prob`; the others are scaled up (Huang 2016).

    torchvision has the same, and takes seconds to import.
    """

    def __init__(self, drop_prob: float) -> None:
        super().__init__()
        self.drop_prob = drop_prob

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same."""
        if not self.training:
            return x
        kept = torch.empty(x.shape[0], 1, 1, 1, dtype=x.dtype, device=x.device).bernoulli_(1 - self.drop_prob)
        return x * kept.div_(1 - self.drop_prob)

    def extra_repr(self) -> str:
        """The probability."""
        return f"drop_prob={self.drop_prob}"


def same_conv(
    name: str, inputs: int, outputs: int, kernel: int, stride: int = 1, *, groups: int = 1, bias: bool
) -> OrderedDict[str, nn.Module]:
    """A convolution with "same" padding, as children of a Sequential: `<name>_pad` where it needs one, and `<name>`.

    Every child is a plain layer, so what knows convolutions need not know of the padding.
    """
    if stride == 1 or kernel == 1:
        conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=bias)
        return OrderedDict([(name, conv)])
    conv = nn.Conv2d(inputs, outputs, kernel, stride, groups=groups, bias=bias)
    return OrderedDict([(f"{name}_pad", SamePadding(kernel, stride)), (name, conv)])


def conv_norm(
    inputs: int, outputs: int, kernel: int, stride: int = 1, *, groups: int = 1, bias: bool
) -> OrderedDict[str, nn.Module]:
    """`same_conv` and its BatchNorm, as children `conv` and `norm`."""
    conv = same_conv("conv", inputs, outputs, kernel, stride, groups=groups, bias=bias)
    return OrderedDict(**conv, norm=batch_norm(outputs))


def linear_head(features: int, num_classes: int, dropout: float) -> OrderedDict[str, nn.Module]:
    """Global average, dropout and linear classifier, as children of a Sequential: (N, features, H, W) to logits."""
    return OrderedDict(
        pool=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        dropout=nn.Dropout(dropout),
        classifier=nn.Linear(features, num_classes),
    )


def batch_norm(channels: int) -> nn.BatchNorm2d:
    """BatchNorm with Keras's defaults: epsilon 1e-3, and 0.99 of the running statistics kept at each step."""
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


def glorot_uniform(module: nn.Module) -> None:
    """Glorot-uniform weights and zero biases for a convolution or linear layer; for `Module.apply`.

    Glorot and Bengio 2010, equation 16.
    """
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        _zero_bias(module)


def he_normal(module: nn.Module) -> None:
    """Weights of variance 2 / fan-in from a normal distribution cut at two deviations, zero biases; for `Module.apply`.

    He et al. 2015, equation 10; the cut is Keras's.
    """
    if isinstance(module, nn.Conv2d | nn.Linear):
        std = (2 / module.weight[0].numel()) ** 0.5 / _NORMAL_CUT_AT_TWO
        nn.init.trunc_normal_(module.weight, std=std, a=-2 * std, b=2 * std)
        _zero_bias(module)


def _zero_bias(module: nn.Conv2d | nn.Linear) -> None:
    if module.bias is not None:
        nn.init.zeros_(module.bias)
