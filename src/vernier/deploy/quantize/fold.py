"""BatchNorm becomes part of the layer before it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _BatchNorm

from vernier.deploy.quantize.tracing import Layer, bias_of, layers, module_of, only_user


@final
@dataclass(frozen=True)
class Spread:
    """What BatchNorm says about a layer's outputs in training, (outputs,) each."""

    mean: Tensor
    std: Tensor

    def divided(self, scales: Tensor) -> "Spread":
        """Of the outputs divided by `scales`."""
        return Spread(self.mean / scales, self.std / scales)


@torch.no_grad()
def fold_batchnorm(network: fx.GraphModule) -> Mapping[str, Spread]:
    """Fold every BatchNorm that takes the outputs of a layer, and nobody else does (Jacob et al. 2018, section 3.2).

    An activation that belongs to the BatchNorm, as timm has them, stays in its place.

    Returns:
        Of each layer that took one in, by its node, how its outputs are spread.
    """
    spreads = {}
    for node, layer in layers(network).items():
        after = only_user(node)
        norm = None if after is None else module_of(network, after)
        if after is None or not isinstance(norm, _BatchNorm) or norm.running_mean is None:
            continue
        spreads[node.name] = _fold(layer, norm)
        _take_out(network, after, norm)
    network.delete_all_unused_submodules()
    network.recompile()
    return spreads


def _fold(layer: Layer, norm: _BatchNorm) -> Spread:
    mean, variance = norm.running_mean, norm.running_var
    assert mean is not None, "BatchNorm without statistics is left alone"
    assert variance is not None, "mean and variance come together"
    gamma = torch.ones_like(mean) if norm.weight is None else norm.weight.detach()
    beta = torch.zeros_like(mean) if norm.bias is None else norm.bias.detach()
    factor = gamma / torch.sqrt(variance + norm.eps)
    spread = Spread(beta, factor.abs() * variance.sqrt())
    bias = bias_of(layer)
    layer.weight.mul_(factor.view(-1, *[1] * (layer.weight.ndim - 1)))
    bias.copy_((bias - mean) * factor + beta)
    return spread


def _take_out(network: fx.GraphModule, node: fx.Node, norm: _BatchNorm) -> None:
    # timm's BatchNormAct2d drops and activates; what torch itself has does neither.
    activation = getattr(norm, "act", None)
    if isinstance(activation, nn.Module) and not isinstance(activation, nn.Identity):
        network.set_submodule(str(node.target), activation)
        return
    node.replace_all_uses_with(node.all_input_nodes[0])
    network.graph.erase_node(node)
