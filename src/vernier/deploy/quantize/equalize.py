"""Cross-layer equalisation."""

from collections.abc import Sequence

import torch
from torch import Tensor, fx

from vernier.deploy.quantize.observe import observe
from vernier.deploy.quantize.pairs import RELU6, Pair, does, find_pairs
from vernier.deploy.quantize.tracing import bias_of

_ROUNDS = 100
_CONVERGED = 1e-3

_NOISE = 1e-4
"""Weights of a channel that are this share of the layer's largest are left over from one that died, and stay small."""

_SIX = 6.0
_MARGIN = 1.25
"""Other images may reach further than those that were seen."""


@torch.no_grad()
def equalize(network: fx.GraphModule, images: Tensor) -> dict[str, Tensor]:
    """Scale the channels between layers so that both layers' weights use their ranges alike; the outputs stay.

    For channel k between two layers whose weights reach up to r1 and r2 there, the first layer's weights and bias are
    divided by s and the second's are multiplied by it, with s = sqrt(r1 r2) / r2 (Nagel et al. 2019, "Data-Free
    Quantization Through Weight Equalization and Bias Correction", equation 11), over and over until nothing moves.
    Across a ReLU6 a channel grows no further than to 6, so that it is cut where it was before: nowhere.

    Args:
        images: float (N, C, h, w), which show the channels that ReLU6 cuts; those keep their scale.

    Returns:
        Of each first layer, by its node, what its outputs were divided by, (outputs,).
    """
    pairs = find_pairs(network)
    least = _least_scales(network, pairs, images)
    total = {pair.first_node.name: torch.ones_like(bias_of(pair.first)) for pair in pairs}
    for _ in range(_ROUNDS):
        moved = 0.0
        for pair in pairs:
            done = total[pair.first_node.name]
            scales = _scales(pair, done, least.get(pair.first_node))
            _apply(pair, scales)
            done *= scales
            moved = max(moved, float((scales - 1).abs().max()))
        if moved < _CONVERGED:
            break
    return total


def _least_scales(network: fx.GraphModule, pairs: Sequence[Pair], images: Tensor) -> dict[fx.Node, Tensor]:
    """Of the layers before a ReLU6, how far each output may grow: infinity for those that it cuts."""
    cut = {pair.first_node: pair.first for pair in pairs if any(does(network, node, RELU6) for node in pair.between)}
    reached = {node: extent.high * _MARGIN / _SIX for node, extent in observe(network, cut, images).items()}
    return {node: torch.where(share < 1, share, torch.inf) for node, share in reached.items()}


def _scales(pair: Pair, done: Tensor, least: Tensor | None) -> Tensor:
    """(channels,); 1 for a channel without weights to speak of on one side, or that ReLU6 cuts."""
    first = pair.first.weight.flatten(1).abs().amax(1)
    second = pair.incoming.abs().amax((1, 3)).flatten()
    free = (first > _NOISE * first.max()) & (second > 0)
    scales = torch.sqrt(first * second) / second
    if least is not None:
        free &= least.isfinite()
        scales = torch.maximum(scales, least / done)
    return torch.where(free, scales, 1)


def _apply(pair: Pair, scales: Tensor) -> None:
    pair.first.weight.div_(scales.view(-1, *[1] * (pair.first.weight.ndim - 1)))
    bias_of(pair.first).div_(scales)
    pair.incoming.mul_(pair.spread(scales))
