"""ReLU in place of ReLU6, whose 6 stands in the way of scaled channels."""

import torch.nn.functional as F
from torch import fx, nn

from vernier.deploy.quantize.pairs import RELU6, does, find_pairs


def replace_relu6(network: fx.GraphModule) -> int:
    """Let go of the 6 wherever ReLU6 stands between two layers that are to be equalised; returns how often.

    Only activations above 6 change. The published flow clips each channel at 6/s afterwards instead, which is exact,
    but a clip of its own for each channel is no part of an 8-bit convolution.
    """
    places = {node for pair in find_pairs(network) for node in pair.between if does(network, node, RELU6)}
    for node in places:
        if node.op == "call_module":
            network.set_submodule(str(node.target), nn.ReLU())
        else:
            node.target, node.args, node.kwargs = F.relu, node.args[:1], {}
    network.recompile()
    return len(places)
