"""Layers that follow each other with nothing between them that mixes channels."""

import operator
from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from vernier.deploy.quantize.tracing import Layer, layers, module_of, only_user
from vernier.models.zoo.layers import SamePadding

RELU6 = (nn.ReLU6, F.relu6)
"""What cuts at 6: scaled inputs do not give scaled outputs."""

RECTIFIERS = (nn.ReLU, F.relu, torch.relu, "relu", "relu_", *RELU6)
"""What never gives a negative value."""

ACTIVATIONS = (*RECTIFIERS, nn.Hardtanh, nn.PReLU, nn.LeakyReLU, F.leaky_relu)
"""What an 8-bit layer does on its way out, or an 8-bit runtime right behind it."""

JOINS = (operator.mul, operator.imul, torch.mul, torch.cat)
"""What joins tensors and adds nothing up."""

ARITHMETIC = (operator.add, operator.iadd, torch.add, *JOINS)
"""What joins tensors."""

POOLS = (nn.AvgPool2d, nn.AdaptiveAvgPool2d, F.adaptive_avg_pool2d, F.avg_pool2d, "mean", torch.mean)
"""What takes means over places."""

_SHIFTABLE = (
    nn.Identity,
    nn.Dropout,
    nn.MaxPool2d,
    nn.AdaptiveMaxPool2d,
    nn.Flatten,
    F.dropout,
    torch.flatten,
    "flatten",
    "contiguous",
    *POOLS,
)
"""What gives shifted outputs for shifted inputs, at least where nothing is padded."""

_SCALABLE = (*RECTIFIERS, *_SHIFTABLE, nn.PReLU, nn.LeakyReLU, F.leaky_relu, nn.ZeroPad2d, SamePadding)
"""What gives scaled outputs for inputs scaled by positive numbers, channel by channel."""


@final
@dataclass(frozen=True)
class Pair:
    """Two layers of which the second takes nothing but the first's outputs, and nobody else takes them.

    Attributes:
        between: Nodes on the way, in their order.
    """

    first_node: fx.Node
    first: Layer
    between: tuple[fx.Node, ...]
    second_node: fx.Node
    second: Layer

    @property
    def channels(self) -> int:
        """Of the tensor between them."""
        return int(self.first.weight.shape[0])

    @property
    def incoming(self) -> Tensor:
        """The second layer's weights by channel: (groups, outputs of one, channels of one, weights of each).

        After a flattened map, a channel has several inputs of a linear layer.
        """
        groups = self.second.groups if isinstance(self.second, nn.Conv2d) else 1
        weight = self.second.weight
        return weight.view(groups, weight.shape[0] // groups, self.channels // groups, -1)

    def spread(self, values: Tensor) -> Tensor:
        """(channels,) as `incoming` has them."""
        return values.view(self.incoming.shape[0], 1, -1, 1)


def find_pairs(network: fx.GraphModule) -> tuple[Pair, ...]:
    """All pairs, in the order of the first layers' calls."""
    return tuple(_pairs(network))


def _pairs(network: fx.GraphModule) -> Iterator[Pair]:
    own = layers(network)
    for node, layer in own.items():
        between: list[fx.Node] = []
        after = only_user(node)
        while after is not None and after not in own and does(network, after, _SCALABLE):
            between.append(after)
            after = only_user(after)
        if after in own and _inputs(own[after]) % len(layer.weight) == 0:
            yield Pair(node, layer, tuple(between), after, own[after])


def _inputs(layer: Layer) -> int:
    return layer.in_channels if isinstance(layer, nn.Conv2d) else layer.in_features


def does(network: fx.GraphModule, node: fx.Node, what: tuple[object, ...]) -> bool:
    """Whether a node calls one of these types of modules, functions or methods; a mean over channels does not count."""
    target: object = node.target if node.op != "call_module" else type(module_of(network, node))
    return target in what and not _over_channels(node)


def _over_channels(node: fx.Node) -> bool:
    axes = node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else None)
    return node.target in ("mean", torch.mean) and axes not in ((2, 3), [2, 3], (-2, -1), [-2, -1])


def keeps_constants(network: fx.GraphModule, pair: Pair) -> bool:
    """Whether a channel that is the same everywhere reaches every output of the second layer, rectified at most."""
    rest = pair.between[1:] if is_rectified(network, pair) else pair.between
    return not pads(pair.second) and all(does(network, node, _SHIFTABLE) for node in rest)


def is_rectified(network: fx.GraphModule, pair: Pair) -> bool:
    """Whether the first thing that happens to the first layer's outputs is that negative ones become 0."""
    return bool(pair.between) and does(network, pair.between[0], RECTIFIERS)


def pads(layer: Layer) -> bool:
    """Whether some outputs may see fewer inputs than others."""
    if isinstance(layer, nn.Linear) or max(layer.kernel_size) == 1:
        return False
    # Convolutions of other packages may pad by code of their own.
    return type(layer) is not nn.Conv2d or layer.padding not in ((0, 0), "valid")
