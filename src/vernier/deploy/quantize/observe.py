"""How far the outputs of layers reach."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, fx, nn

from vernier.deploy.quantize.tracing import Layer

_AT_ONCE = 16


@final
@dataclass(frozen=True)
class Extent:
    """The smallest and the largest output of each channel, (channels,) each."""

    low: Tensor
    high: Tensor

    def joined(self, other: "Extent") -> "Extent":
        """Of both."""
        return Extent(torch.minimum(self.low, other.low), torch.maximum(self.high, other.high))


@torch.no_grad()
def observe(network: nn.Module, layers: Mapping[fx.Node, Layer], images: Tensor) -> dict[fx.Node, Extent]:
    """Send images (N, C, h, w) through a network and see how far its layers' outputs reach."""
    extents: dict[nn.Module, Extent] = {}

    def note(layer: nn.Module, inputs: object, outputs: Tensor) -> None:
        channels = outputs.movedim(1, 0).flatten(1)
        extent = Extent(channels.amin(1), channels.amax(1))
        extents[layer] = extent.joined(extents[layer]) if layer in extents else extent

    handles = [layer.register_forward_hook(note) for layer in layers.values()]
    try:
        outputs_of(network, images)
    finally:
        for handle in handles:
            handle.remove()
    return {node: extents[layer] for node, layer in layers.items()}


@torch.no_grad()
def outputs_of(network: nn.Module, images: Tensor) -> Tensor:
    """A network's outputs for many images, a few at a time."""
    starts = range(0, len(images), _AT_ONCE)
    return torch.cat([network(images[start : start + _AT_ONCE]) for start in starts])
