"""The weights that Muon is for: matrices of hidden layers."""

from torch import nn

from vernier.errors import ConfigError, ConfigProblem
from vernier.models.head import classifier_modules
from vernier.models.layers import parametered_layers


def hidden_matrices(module: nn.Module) -> frozenset[str]:
    """Names of the weights that map what a hidden layer gets to what it gives.

    These are parameters of two or more dimensions named `weight` or ending in `_weight`, without those of the first
    layer that has such, of the classifiers, of embeddings, and of convolutions in groups, whose kernels do not share
    an input.

    Raises:
        ConfigError: there are none.
    """
    classifiers = classifier_modules(module)
    layers = [
        (layer.name, names)
        for layer in parametered_layers(module)
        if not isinstance(layer.module, nn.Embedding)
        if (names := [name for name, p in layer.parameters.items() if p.ndim > 1 and name.endswith("weight")])
    ]
    hidden = frozenset(
        name
        for layer, names in layers[1:]
        if layer not in classifiers and getattr(module.get_submodule(layer), "groups", 1) == 1
        for name in names
    )
    if not hidden:
        message = "muon is for the matrices of hidden layers, and this network has none; use optimizer=adamw"
        raise ConfigError([ConfigProblem("optimizer.name", message)])
    return hidden
