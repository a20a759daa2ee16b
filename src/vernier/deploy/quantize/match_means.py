"""Biases that make up for rounding before a fine-tuning begins."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, fx, nn

from vernier.deploy.quantize.relative_change import shift_bias
from vernier.deploy.quantize.tracing import Layer, layers


@torch.no_grad()
def match_means(rounded: fx.GraphModule, float_network: nn.Module, images: Tensor) -> None:
    """Shift the biases of a rounded network until the mean of each output channel is that of the float network.

    As `correct_biases` does it (Nagel et al. 2019, section 4.2), in one pass: each layer is corrected when the images
    reach it, so those behind it already see what it says then. Steps of training would take long to get there, because
    biases have to move much further than weights.

    Args:
        rounded: Its layers have changes to train; changed in place.
        float_network: With layers of the same names.
        images: float (N, C, h, w).
    """
    own = {str(node.target): layer for node, layer in layers(rounded).items() if layer.bias is not None}
    means: dict[str, Tensor] = {}

    def note(name: str, outputs: Tensor) -> None:
        means[name] = _channel_means(own[name], outputs)

    def correct(name: str, outputs: Tensor) -> Tensor:
        by = means[name] - _channel_means(own[name], outputs)
        shift_bias(own[name], by)
        return outputs + (by.view(-1, 1, 1) if isinstance(own[name], nn.Conv2d) else by)

    _run(float_network, {name: float_network.get_submodule(name) for name in own}, note, images)
    _run(rounded, own, correct, images)


def _run(
    network: nn.Module, own: Mapping[str, nn.Module], look: Callable[[str, Tensor], Tensor | None], images: Tensor
) -> None:
    """Send images through a network and let `look` see, and perhaps replace, the outputs of some layers."""

    def hook(name: str) -> Callable[[nn.Module, object, Tensor], Tensor | None]:
        return lambda _layer, _inputs, outputs: look(name, outputs)

    handles = [layer.register_forward_hook(hook(name)) for name, layer in own.items()]
    try:
        network(images)
    finally:
        for handle in handles:
            handle.remove()


def _channel_means(layer: Layer, outputs: Tensor) -> Tensor:
    """(channels,): of maps (N, channels, h, w), or of vectors (..., channels)."""
    return outputs.mean((0, 2, 3)) if isinstance(layer, nn.Conv2d) else outputs.flatten(0, -2).mean(0)
