"""Weights trained as a change of what they are, in units of their own channel."""

from typing import final

import torch
from torch import Tensor, fx, nn
from torch.nn.utils import parametrize

from vernier.deploy.quantize.tracing import Layer, layers

PARAMETERS = ("weight", "bias")


@final
class RelativeChange(nn.Module):
    """start + unit * change, where only the change, 0 at first, is trained.

    Folded and equalised weights differ by orders of magnitude between channels. One learning rate for all of them moves
    small channels by a multiple of their size, and large ones hardly. A change in units of its channel does not see how
    the channels are scaled, and a channel without weights, which died, stays as it is.

    Args:
        start: (outputs, ...).
        units: (outputs,).
    """

    start: Tensor
    units: Tensor

    def __init__(self, start: Tensor, units: Tensor) -> None:
        super().__init__()
        self.register_buffer("start", start.detach().clone())
        self.register_buffer("units", units.view(-1, *[1] * (start.ndim - 1)).clone())

    def forward(self, change: Tensor) -> Tensor:
        """The parameter; both (outputs, ...)."""
        return self.start + self.units * change

    def right_inverse(self, start: Tensor) -> Tensor:
        """No change."""
        return torch.zeros_like(start)


def train_changes(network: fx.GraphModule) -> None:
    """Make changes of the layers' weights and biases what is trained, in place; nothing else is."""
    network.requires_grad_(False)
    for layer in layers(network).values():
        units = largest_weights(layer.weight)
        for name in PARAMETERS:
            start = getattr(layer, name)
            if start is not None:
                start.requires_grad_(True)
                parametrize.register_parametrization(layer, name, RelativeChange(start, units))


def largest_weights(weight: Tensor) -> Tensor:
    """Of each output, (outputs,) from (outputs, ...); no gradient."""
    return weight.detach().flatten(1).abs().amax(1)


def shift_bias(layer: Layer, by: Tensor) -> None:
    """Add (outputs,) to where the changes of a bias start."""
    start = layer.get_buffer("parametrizations.bias.0.start")
    start.add_(by)


def keep_changes(layer: Layer) -> None:
    """Make what came of a layer's parametrizations its plain parameters."""
    for name in PARAMETERS:
        if parametrize.is_parametrized(layer, name):
            parametrize.remove_parametrizations(layer, name, leave_parametrized=True)
