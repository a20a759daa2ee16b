"""Absorption of high biases."""

from collections.abc import Mapping

import torch
from torch import fx

from vernier.deploy.quantize.fold import Spread
from vernier.deploy.quantize.pairs import RELU6, does, find_pairs, is_rectified, keeps_constants
from vernier.deploy.quantize.tracing import bias_of


@torch.no_grad()
def absorb_high_biases(network: fx.GraphModule, spreads: Mapping[str, Spread]) -> int:
    """Move what a rectified output nearly always exceeds into the next layer's bias; returns how many channels.

    c = max(0, beta - 3 gamma) of the BatchNorm before the rectifier: for normally distributed outputs 99.9 % stay the
    same (Nagel et al. 2019, section 4.1.3). Not before a layer that pads, whose borders would miss c.
    """
    count = 0
    for pair in find_pairs(network):
        spread = spreads.get(pair.first_node.name)
        rectified = is_rectified(network, pair) and not does(network, pair.between[0], RELU6)
        if spread is None or not rectified or not keeps_constants(network, pair):
            continue
        excess = (spread.mean - 3 * spread.std).clamp_min(0)
        # A dead channel has no weights behind it, and nothing to give away.
        excess = excess * pair.first.weight.flatten(1).any(1)
        bias_of(pair.first).sub_(excess)
        bias_of(pair.second).add_((pair.incoming * pair.spread(excess)).sum((2, 3)).flatten())
        count += int((excess > 0).sum())
    return count
