"""Single layers made narrower, in place."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

Layer = nn.Conv2d | nn.ConvTranspose2d | nn.Linear
"""Layers that have a width of their own."""

CHANNEL_COUNTS = ("num_features", "num_channels", "num_parameters", "channels", "dim", "in_channels", "out_channels")


def is_depthwise(layer: nn.Module) -> bool:
    """Whether every input channel of a convolution has filters of its own."""
    return isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) and layer.groups == layer.in_channels > 1


def input_count(layer: Layer) -> int:
    """Channels or features that a layer takes."""
    return layer.in_features if isinstance(layer, nn.Linear) else layer.in_channels


def output_count(layer: Layer) -> int:
    """Channels or features that a layer makes."""
    return layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels


def own_tensors(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers of the module itself that have more than one value, by name."""
    tensors = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
    return {name: tensor for name, tensor in tensors if tensor.numel() > 1}


def holds_channel_values(module: nn.Module) -> bool:
    """Whether a module has values for each channel, as a normalisation has, and no parts that have more."""
    inside = [child for child in module.modules() if child is not module]
    return not isinstance(module, Layer) and bool(own_tensors(module)) and not any(map(own_tensors, inside))


def narrow_layer(layer: Layer, inputs: int, outputs: int) -> None:
    """Make a layer take `inputs` and make `outputs` channels; a depthwise one keeps its outputs an input.

    Other groups stay as many, or become the largest smaller number that divides both.
    """
    if isinstance(layer, nn.Linear):
        _narrow_weights(layer, (outputs, inputs), outputs, (layer.in_features / inputs) ** 0.5)
        layer.in_features, layer.out_features = inputs, outputs
        return
    if is_depthwise(layer):
        outputs = inputs * (layer.out_channels // layer.in_channels)
    groups = inputs if is_depthwise(layer) else _common_groups(layer.groups, inputs, outputs)
    transposed = isinstance(layer, nn.ConvTranspose2d)
    shape = (inputs, outputs // groups) if transposed else (outputs, inputs // groups)
    old_fan = layer.in_channels // layer.groups
    _narrow_weights(layer, shape, outputs, (old_fan / (inputs // groups)) ** 0.5)
    layer.in_channels, layer.out_channels, layer.groups = inputs, outputs, groups


def narrow_channel_values(module: nn.Module, old: int, new: int) -> None:
    """Keep the values of the first `new` of `old` channels, and make the module's own counts say so."""
    for tensor in own_tensors(module).values():
        if old in tensor.shape:
            axis = tensor.shape.index(old)
            tensor.data = tensor.detach().narrow(axis, 0, new).clone()
    for name in CHANNEL_COUNTS:
        if getattr(module, name, None) == old:
            setattr(module, name, new)
    for name in ("normalized_shape", "shape"):
        shape = getattr(module, name, None)
        if isinstance(shape, tuple):
            setattr(module, name, tuple(new if size == old else size for size in shape))
    for name in ("num_groups", "groups"):
        groups = getattr(module, name, 1)
        if isinstance(groups, int) and new % groups:
            setattr(module, name, _common_groups(groups, new, new))


def _common_groups(most: int, inputs: int, outputs: int) -> int:
    return next(groups for groups in range(most, 0, -1) if inputs % groups == 0 and outputs % groups == 0)


def _narrow_weights(layer: Layer, shape: Sequence[int], outputs: int, scale: float) -> None:
    """Corners of weight and bias, times `scale`; whatever else the layer has for each output is cut."""
    for name, tensor in own_tensors(layer).items():
        if name == "weight":
            tensor.data = _corner(tensor.detach(), shape, scale)
        elif tensor.shape[0] == output_count(layer):
            tensor.data = _corner(tensor.detach(), (outputs,), scale)
    standardised = getattr(layer, "scale", None)
    if isinstance(standardised, float):  # timm's weight standardisation: proportional to 1 / sqrt(fan-in)
        layer.scale = standardised * scale  # type: ignore[assignment]


def _corner(tensor: Tensor, sizes: Sequence[int], scale: float) -> Tensor:
    sizes = (*sizes, *tensor.shape[len(sizes) :])
    if bool(torch.all(tensor == tensor.flatten()[0])):
        return tensor.flatten()[:1].expand(sizes).clone()
    if any(new > old for new, old in zip(sizes, tensor.shape, strict=True)):  # fewer groups, deeper filters
        return tensor.flatten()[torch.randint(tensor.numel(), sizes)] * scale
    return tensor[tuple(slice(size) for size in sizes)].clone() * scale
