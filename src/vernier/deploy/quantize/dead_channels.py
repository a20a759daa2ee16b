"""Channels that never change, whose weights would only widen the range of the others."""

from collections.abc import Mapping

import torch
from torch import Tensor, fx

from vernier.deploy.quantize.fold import Spread
from vernier.deploy.quantize.observe import observe
from vernier.deploy.quantize.pairs import RELU6, Pair, does, find_pairs, is_rectified, keeps_constants
from vernier.deploy.quantize.tracing import bias_of, layers

_DEAD_SHARE = 2e-3
"""A channel that varies by less than this share of the layer's median is constant but for noise."""


@torch.no_grad()
def silence_dead_channels(network: fx.GraphModule, spreads: Mapping[str, Spread], images: Tensor) -> int:
    """Give constant channels weights of 0, and let the next layer's bias take over what they say.

    A channel is dead when BatchNorm has seen next to no variance, and the images do not wake it either.

    Args:
        spreads: Of the layers that took in a BatchNorm.
        images: float (N, C, h, w).

    Returns:
        How many channels are dead.
    """
    own = {node: layer for node, layer in layers(network).items() if node.name in spreads}
    extents = observe(network, own, images)
    count = 0
    for node, layer in own.items():
        spread = spreads[node.name]
        dead = _few(spread.std) & _few(extents[node].high - extents[node].low)
        layer.weight[dead] = 0
        bias_of(layer)[dead] = spread.mean[dead]
        count += int(dead.sum())
    for pair in find_pairs(network):
        _pass_on(network, pair)
    return count


def _few(values: Tensor) -> Tensor:
    return values <= _DEAD_SHARE * values.median()


def _pass_on(network: fx.GraphModule, pair: Pair) -> None:
    """What the first layer's dead channels say becomes part of the second's bias."""
    dead = ~pair.first.weight.flatten(1).any(1)
    if not dead.any() or (pair.between and not is_rectified(network, pair)):
        return
    said = bias_of(pair.first).clone()
    if pair.between:
        said.clamp_(0, 6 if does(network, pair.between[0], RELU6) else None)
    ready = dead if keeps_constants(network, pair) else dead & (said == 0)
    weights = pair.incoming
    shares = (weights * pair.spread(said * ready)).sum((2, 3)).flatten()
    bias_of(pair.second).add_(shares)
    weights.mul_(pair.spread((~ready).to(weights.dtype)))
