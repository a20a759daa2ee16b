"""Rounding to 8 bits inside a float network, with gradients that pass straight through it."""

from collections.abc import Iterator
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn
from torch.nn.utils import parametrize

from vernier.config.quantize import Granularity
from vernier.deploy.quantize.pairs import ACTIVATIONS, ARITHMETIC, JOINS, POOLS, does
from vernier.deploy.quantize.relative_change import keep_changes, largest_weights
from vernier.deploy.quantize.tracing import Layer, layers, module_of, only_user

_LEVELS = 255
_TINY = 1e-12


@final
class FakeQuantWeight(nn.Module):
    """Symmetric int8 weights, -127 to 127, with a scale for each output or one for all (Jacob et al. 2018)."""

    def __init__(self, granularity: Granularity, largest: int) -> None:
        super().__init__()
        self._by_channel, self._largest = granularity == "per_channel", largest

    def forward(self, weight: Tensor) -> Tensor:
        """(outputs, ...) to the same, rounded."""
        size = largest_weights(weight)
        scale = ((size if self._by_channel else size.max()) / self._largest).clamp_min(_TINY)
        if self._by_channel:
            zero = torch.zeros_like(scale, dtype=torch.int32)
            return torch.fake_quantize_per_channel_affine(weight, scale, zero, 0, -self._largest, self._largest)
        return torch.fake_quantize_per_tensor_affine(weight, float(scale), 0, -self._largest, self._largest)


@final
class FakeQuantActivation(nn.Module):
    """8-bit activations; their range holds 0 and all values seen until it is frozen, as calibration's does (minmax).

    Attributes:
        low, high: The range, ().
        observing: Whether values still widen it.
    """

    low: Tensor
    high: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.observing = True
        self.register_buffer("low", torch.zeros(()))
        self.register_buffer("high", torch.zeros(()))

    def forward(self, values: Tensor) -> Tensor:
        """Any shape to the same, rounded and clipped; sizes, which are computed alike, stay."""
        if not isinstance(values, Tensor) or not values.is_floating_point():
            return values
        if self.observing:
            self._observe(values.detach())
        scale = ((self.high - self.low) / _LEVELS).clamp_min(_TINY)
        zero = torch.round(-self.low / scale).to(torch.int32)
        return torch.fake_quantize_per_tensor_affine(values, scale, zero, 0, _LEVELS)

    def _observe(self, values: Tensor) -> None:
        self.low.copy_(torch.minimum(self.low, values.amin()))
        self.high.copy_(torch.maximum(self.high, values.amax()))


def insert_fake_quant(network: fx.GraphModule, granularity: Granularity, *, largest: int = 127) -> None:
    """Round what 8-bit integers will round: the layers' weights, and all tensors between operations.

    Args:
        network: Changed in place.
        largest: Weight in steps: 127, or 63 for 7 bits.
    """
    for layer in layers(network).values():
        parametrize.register_parametrization(layer, "weight", FakeQuantWeight(granularity, largest))
    for number, node in enumerate(list(_rounded(network))):
        name = f"activation_{number}"
        network.add_submodule(name, FakeQuantActivation())
        users = list(node.users)
        with network.graph.inserting_after(node):
            rounded = network.graph.call_module(name, (node,))
        for user in users:
            user.replace_input_with(node, rounded)
    network.recompile()


def _rounded(network: fx.GraphModule) -> Iterator[fx.Node]:
    """Nodes whose value is an 8-bit tensor: what layers take and give, with the activation behind them; sums; means.

    Sums stay in float beside layer normalization, as static quantization leaves them.
    """
    own = layers(network)
    taken = {node for layer in own for node in layer.all_input_nodes}
    made = (*ACTIVATIONS, *POOLS, *(JOINS if _normalizes(network) else ARITHMETIC))
    for node in network.graph.nodes:
        after = only_user(node)
        goes_on = after is None or not (after.op == "output" or does(network, after, ACTIVATIONS))
        if goes_on and (node.op == "placeholder" or node in taken or node in own or does(network, node, made)):
            yield node


def _normalizes(network: fx.GraphModule) -> bool:
    return any(does(network, node, (nn.LayerNorm, F.layer_norm)) for node in network.graph.nodes)


def freeze_ranges(network: nn.Module) -> None:
    """Let activation ranges stay as they are."""
    for module in network.modules():
        if isinstance(module, FakeQuantActivation):
            module.observing = False


def take_out_fake_quant(network: fx.GraphModule) -> None:
    """Undo `insert_fake_quant`; weights are plain ones again, those before rounding."""
    for node in list(network.graph.nodes):
        module = module_of(network, node)
        if isinstance(module, FakeQuantActivation):
            node.replace_all_uses_with(node.all_input_nodes[0])
            network.graph.erase_node(node)
            network.delete_submodule(str(node.target))
        elif isinstance(module, Layer) and parametrize.is_parametrized(module, "weight"):
            chain = module.get_submodule("parametrizations.weight")
            assert isinstance(chain, nn.ModuleList), "torch keeps parametrizations in one"
            chain[len(chain) - 1] = nn.Identity()
            keep_changes(module)
    network.recompile()
