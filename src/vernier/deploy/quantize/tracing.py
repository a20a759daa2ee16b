"""A network as a graph of its layers, to be rewritten before it is quantized."""

import copy
from typing import final

import torch
from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _BatchNorm

from vernier.models.zoo.layers import SamePadding

Layer = nn.Conv2d | nn.Linear
"""What holds weights that are quantized."""


@final
class _Tracer(fx.Tracer):
    """Layers, padding and BatchNorm stay whole, whoever wrote them."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        whole = isinstance(m, Layer | _BatchNorm | SamePadding)
        return whole or super().is_leaf_module(m, module_qualified_name)


def trace_network(module: nn.Module) -> fx.GraphModule:
    """A copy of a network in eval mode, as a graph that can be rewritten.

    Raises:
        One of `prefix.UNTRACEABLE`: its forward pass depends on values.
    """
    network = copy.deepcopy(module).eval()
    return fx.GraphModule(network, _Tracer().trace(network)).eval()


def module_of(network: fx.GraphModule, node: fx.Node) -> nn.Module | None:
    """The module that a node calls; None when it calls a function."""
    return network.get_submodule(str(node.target)) if node.op == "call_module" else None


def layers(network: fx.GraphModule) -> dict[fx.Node, Layer]:
    """The layers that are called once, in the order of their calls: nobody else sees a change of these."""
    calls = {node: module_of(network, node) for node in network.graph.nodes}
    modules = list(calls.values())
    return {node: module for node, module in calls.items() if isinstance(module, Layer) and modules.count(module) == 1}


def only_user(node: fx.Node) -> fx.Node | None:
    """The one node that takes a value; None when several do."""
    users = list(node.users)
    return users[0] if len(users) == 1 else None


def bias_of(layer: Layer) -> Tensor:
    """The bias of a layer (outputs,), made where there is none."""
    if layer.bias is None:
        layer.bias = nn.Parameter(torch.zeros_like(layer.weight.flatten(1)[:, 0]))
    return layer.bias
