"""The layers of a network that have parameters, in the order in which `model.frozen` counts them."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, final

import torch
from torch import nn

from vernier.config.model import ModelConfig
from vernier.models.aliases import canonical_model
from vernier.models.architecture import Architecture
from vernier.models.catalog_build import own_channels
from vernier.models.catalog_measure import construct_meta, count_parameters, run_meta
from vernier.models.catalog_text import short_count
from vernier.models.defaults import model_defaults
from vernier.models.freeze import freeze
from vernier.models.from_bundle import bundle_architecture
from vernier.models.layers import Layer, parametered_layers
from vernier.models.providers import make_architecture

_HEAD = ("index", "name", "type", "output shape", "parameters", "frozen")


@final
@dataclass(frozen=True)
class LayerRow:
    """A layer.

    Attributes:
        index: as `model.frozen` counts.
        name: dotted; empty for parameters of the network itself.
        type: its class.
        output_shape: without the batch; None for a layer that the network does not call as a whole.
        parameters: its own, with BatchNorm's running means and variances.
        frozen: whether none of its weights trains.
    """

    index: int
    name: str
    type: str
    output_shape: tuple[int, ...] | None
    parameters: int
    frozen: bool


@final
@dataclass(frozen=True)
class LayerTable:
    """A network layer by layer.

    Attributes:
        architecture: what was built.
        layers: those with parameters.
        parameters: as Keras counts them.
        trainable: weights that are not frozen.
        macs: multiplications for one image.
    """

    architecture: Architecture
    layers: tuple[LayerRow, ...]
    parameters: int
    trainable: int
    macs: int

    def to_json(self) -> dict[str, Any]:
        """The table as JSON values."""
        return {
            "name": self.architecture.name,
            "provider": self.architecture.provider,
            "classes": self.architecture.num_outputs,
            "input_size": [*self.architecture.input_size, self.architecture.channels],
            "parameters": self.parameters,
            "trainable": self.trainable,
            "macs": self.macs,
            "layers": [asdict(row) for row in self.layers],
        }

    def to_text(self) -> str:
        """Aligned columns under a head, and a line of totals."""
        rows = [_HEAD, *map(_cells, self.layers)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        height, width = self.architecture.input_size
        return "\n".join(
            [
                *lines,
                f"{self.parameters:,} parameters with BatchNorm's statistics, {self.trainable:,} to train, "
                f"{short_count(self.macs)} MACs for an image of {height}x{width}x{self.architecture.channels}",
            ]
        )


def layer_table(model: ModelConfig, classes: int, input_size: tuple[int, int, int] | None = None) -> LayerTable:
    """Build a network without memory for its weights, freeze what is to be frozen, and run one image through it.

    Args:
        model: Any model; of a bundle or run, with its own logits and size.
        classes: How many logits for any other.
        input_size: Height, width and channels; None for the network's own.

    Raises:
        ModelError: it can't be built, frozen, or run for such images.
    """
    architecture = bundle_architecture(model)
    if architecture is None:
        architecture = _architecture(canonical_model(model)[0], classes, input_size)
    module = construct_meta(architecture)
    freeze(module, model.frozen)
    layers = parametered_layers(module)
    frozen = [not _trains(layer.module) for layer in layers]
    trainable = sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)
    shapes: dict[nn.Module, tuple[int, ...]] = {}
    handles = [layer.module.register_forward_hook(_note_shape(shapes)) for layer in layers]
    macs = run_meta(module, architecture)
    for handle in handles:
        handle.remove()
    rows = tuple(_rows(layers, shapes, frozen))
    return LayerTable(architecture, rows, count_parameters(module)[0], trainable, macs)


def _architecture(model: ModelConfig, classes: int, input_size: tuple[int, int, int] | None) -> Architecture:
    defaults = model_defaults(model)
    if input_size is None:
        height, width = defaults.input_size if model.input_size == "auto" else model.input_size
        input_size = (height, width, own_channels(defaults.provider, model.name))
    return make_architecture(model, num_outputs=classes, channels=input_size[2], input_size=input_size[:2])


def _trains(module: nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in module.parameters(recurse=False))


def _note_shape(shapes: dict[nn.Module, tuple[int, ...]]) -> Any:
    """A forward hook that keeps the shape of a module's first output."""

    def note(module: nn.Module, inputs: Any, output: Any) -> None:
        first = output[0] if isinstance(output, tuple | list) else output
        if isinstance(first, torch.Tensor):
            shapes.setdefault(module, tuple(first.shape[1:]))

    return note


def _rows(
    layers: Sequence[Layer], shapes: dict[nn.Module, tuple[int, ...]], frozen: Sequence[bool]
) -> Iterator[LayerRow]:
    for index, (layer, is_frozen) in enumerate(zip(layers, frozen, strict=True)):
        parameters, _ = count_parameters(layer.module, recurse=False)
        kind = type(layer.module).__name__
        yield LayerRow(index, layer.name, kind, shapes.get(layer.module), parameters, is_frozen)


def _cells(row: LayerRow) -> tuple[str, ...]:
    shape = "-" if row.output_shape is None else "x".join(map(str, row.output_shape))
    return (
        str(row.index),
        row.name or "(itself)",
        row.type,
        shape,
        f"{row.parameters:,}",
        "yes" if row.frozen else "no",
    )
