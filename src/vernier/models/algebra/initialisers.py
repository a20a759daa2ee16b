"""Initial weights of layers over the numbers of an algebra.

A blade of x * w is the sum of `algebra.terms` products of a blade of x and one of w, where a real layer has one. With
a weight whose blades have 1/terms of a real layer's variance, every blade of the result has the variance that the
real layer gives. The blades are independent normal variates, so the direction of a weight is uniform on the sphere
(for complex numbers, the phase is uniform and the modulus has Rayleigh's distribution). Where some products are 0,
this holds for the mean over the blades.

A weight is shaped as the layers of `linear.py` keep it: (N*O, I, ...), a real layer's being (O, I, ...).

Sources: He et al. 2015, arXiv:1502.01852; Glorot and Bengio 2010; Trabelsi et al. 2018, arXiv:1705.09792.
"""

import math

import torch
from torch import Tensor, nn

from vernier.models.algebra.structure import Algebra


def he_(weight: Tensor, algebra: Algebra) -> Tensor:
    """Fill in place for a layer that a ReLU follows: variance 2/(fan_in*terms) a blade."""
    fan_in, _ = _fans(weight, algebra)
    return _normal(weight, 2 / fan_in, algebra)


def glorot_(weight: Tensor, algebra: Algebra) -> Tensor:
    """Fill in place for a layer that nothing follows that changes the variance: 2/((fan_in+fan_out)*terms) a blade."""
    return _normal(weight, 2 / sum(_fans(weight, algebra)), algebra)


def like_(weight: Tensor, real_weight: Tensor, algebra: Algebra) -> Tensor:
    """Fill in place so that the layer's results have the variance that `real_weight` gives a real layer's.

    Args:
        weight: (N*O, I, ...).
        real_weight: Initial weight (O, I, ...). If it is constant, the scalar blade becomes that constant and the
            others 0.
    """
    variance = float(real_weight.detach().double().var(correction=0))
    if variance:
        return _normal(weight, variance, algebra)
    with torch.no_grad():
        weight.zero_()
        weight[: len(weight) // algebra.size] = real_weight.flatten()[0]
    return weight


def _normal(weight: Tensor, real_variance: float, algebra: Algebra) -> Tensor:
    return nn.init.normal_(weight, std=math.sqrt(real_variance / algebra.terms))


def _fans(weight: Tensor, algebra: Algebra) -> tuple[int, int]:
    """Fan in and fan out of a real layer with the weight of one blade, as torch counts them."""
    pixels = math.prod(weight.shape[2:])
    return weight.shape[1] * pixels, len(weight) // algebra.size * pixels
