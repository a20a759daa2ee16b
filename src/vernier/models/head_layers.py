"""Layers that a head is made of."""

from collections import OrderedDict
from collections.abc import Sequence

from torch import nn

from vernier.config.head import (
    BatchNormLayer,
    DropoutLayer,
    GELULayer,
    HeadLayer,
    LayerNormLayer,
    LinearLayer,
    ReLULayer,
    SiLULayer,
)

Classifier = nn.Linear | nn.Conv2d


def sizes(layer: Classifier) -> tuple[int, int]:
    """(inputs, outputs) of a layer: features or channels."""
    if isinstance(layer, nn.Linear):
        return layer.in_features, layer.out_features
    return layer.in_channels, layer.out_channels


def redraw(layer: Classifier, inputs: int, outputs: int) -> None:
    """Give a layer other numbers of inputs and outputs and new weights; everything else about it stays."""
    if isinstance(layer, nn.Linear):
        layer.in_features, layer.out_features = inputs, outputs
    else:
        layer.in_channels, layer.out_channels = inputs, outputs
    kernel = layer.weight.shape[2:]
    layer.weight = nn.Parameter(layer.weight.new_empty(outputs, inputs, *kernel))
    if layer.bias is not None:
        layer.bias = nn.Parameter(layer.weight.new_empty(outputs))
    layer.reset_parameters()


def make_recipe(layers: Sequence[HeadLayer], classifier: Classifier) -> nn.Sequential:
    """`layers`, then `classifier` under that name; it gets new weights if its input is of another width now."""
    before, outputs = sizes(classifier)
    maps = isinstance(classifier, nn.Conv2d)
    features = before
    made: OrderedDict[str, nn.Module] = OrderedDict()
    for position, layer in enumerate(layers):
        made[str(position)] = _map_layer(layer, features) if maps else _vector_layer(layer, features)
        features = layer.features if isinstance(layer, LinearLayer) else features
    if features != before:
        redraw(classifier, features, outputs)
    return nn.Sequential(made | {"classifier": classifier})


def _vector_layer(layer: HeadLayer, features: int) -> nn.Module:
    """For features (N, F)."""
    match layer:
        case BatchNormLayer():
            return nn.BatchNorm1d(features)
        case LayerNormLayer():
            return nn.LayerNorm(features)
        case LinearLayer():
            return nn.Linear(features, layer.features)
        case _:
            return _any_layer(layer)


def _map_layer(layer: HeadLayer, features: int) -> nn.Module:
    """For feature maps (N, F, H, W)."""
    match layer:
        case BatchNormLayer():
            return nn.BatchNorm2d(features)
        case LayerNormLayer():
            return nn.GroupNorm(1, features)
        case LinearLayer():
            return nn.Conv2d(features, layer.features, 1)
        case _:
            return _any_layer(layer)


def _any_layer(layer: DropoutLayer | ReLULayer | GELULayer | SiLULayer) -> nn.Module:
    match layer:
        case DropoutLayer():
            return nn.Dropout(layer.p)
        case ReLULayer():
            return nn.ReLU()
        case GELULayer():
            return nn.GELU()
        case SiLULayer():
            return nn.SiLU()
