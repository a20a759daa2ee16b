"""The layers of a network that have parameters, in the order in which `model.frozen` counts them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from torch import nn

from vernier.models.head import classifier_modules


@final
@dataclass(frozen=True)
class Layer:
    """A module with parameters of its own, without those of its children.

    Attributes:
        name: Dotted name; empty for the network itself, such as a class token.
        module: The module.
    """

    name: str
    module: nn.Module

    @property
    def parameters(self) -> Mapping[str, nn.Parameter]:
        """Its own parameters by their full names."""
        prefix = f"{self.name}." if self.name else ""
        return {prefix + name: parameter for name, parameter in self.module.named_parameters(recurse=False)}


def parametered_layers(module: nn.Module) -> tuple[Layer, ...]:
    """In the order of registration, which is that of the forward pass in nearly all networks; the classifier last.

    A module that stands under two names counts once.
    """
    layers = [
        Layer(name, child)
        for name, child in module.named_modules()
        if next(child.parameters(recurse=False), None) is not None
    ]
    classifiers = tuple(f"{name}." for name in classifier_modules(module))
    return tuple(sorted(layers, key=lambda layer: f"{layer.name}.".startswith(classifiers)))
