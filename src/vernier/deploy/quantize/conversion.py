"""One float model quantized in one way or another."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

from torch import nn

from vernier.config.quantize import QuantizeConfig
from vernier.config.root import Config
from vernier.deploy.quantize.bias_correction import correct_biases
from vernier.deploy.quantize.noise import Batches
from vernier.deploy.quantize.prepare import prepare_network
from vernier.deploy.quantize.static import Quantized, quantize_network
from vernier.deploy.quantize.subject import Subject, export_module

if TYPE_CHECKING:
    from onnx import ModelProto


TrainOn = Callable[[nn.Module, QuantizeConfig], tuple[nn.Module, tuple[str, ...]]]
"""A network trained on, and what was done in sentences."""


@final
@dataclass(frozen=True)
class Converted:
    """What came of some settings.

    Attributes:
        network: The float network that the quantized one is to answer like: prepared, and not trained on.
        quantized: What became of it.
        notes: What was done before, a sentence each.
    """

    network: "ModelProto"
    quantized: Quantized
    notes: tuple[str, ...]


@final
class Conversion:
    """Quantizes one model again and again; what was prepared and exported is kept.

    Args:
        subject: The model.
        config: How to export.
        batches: The calibration images.
        train_on: Trains a network on with rounding, for `quantize.finetune`.
    """

    def __init__(self, subject: Subject, config: Config, batches: Batches, train_on: TrainOn) -> None:
        self._subject, self._config, self._batches, self._train_on = subject, config, batches, train_on
        self._prepared: dict[tuple[bool, str], _Exported] = {}

    def convert(self, settings: QuantizeConfig) -> Converted:
        """Prepare, quantize, and correct biases.

        Args:
            settings: Without null for `equalize` and `bias_correction`.
        """
        exported = self._network(settings)
        quantized = quantize_network(exported.trained, self._batches, settings)
        if settings.bias_correction:
            quantized = replace(quantized, model=self._corrected(exported, quantized.model, settings))
        return Converted(exported.prepared, quantized, exported.notes)

    def _corrected(self, exported: "_Exported", quantized: "ModelProto", settings: QuantizeConfig) -> "ModelProto":
        """With other biases; means are taken with float input and output."""
        floats = with_float_ends(settings)
        if floats == settings:
            return correct_biases(exported.prepared, quantized, self._batches)
        plain = quantize_network(exported.trained, self._batches, floats).model
        return _with_biases(quantized, correct_biases(exported.prepared, plain, self._batches))

    def _network(self, settings: QuantizeConfig) -> "_Exported":
        # What is trained on depends on the granularity; what is not does not.
        key = (bool(settings.equalize), settings.granularity if settings.finetune else "")
        if key not in self._prepared:
            self._prepared[key] = self._export(settings)
        return self._prepared[key]

    def _export(self, settings: QuantizeConfig) -> "_Exported":
        if self._subject.module is None:
            return _Exported(self._subject.network, self._subject.network, ())
        prepared = prepare_network(self._subject.module, self._batches, settings)
        network = self._network_of(prepared.module)
        if settings.finetune is None:
            return _Exported(network, network, prepared.notes)
        module, notes = self._train_on(prepared.module, settings)
        return _Exported(network, self._network_of(module), (*prepared.notes, *notes))

    def _network_of(self, module: nn.Module) -> "ModelProto":
        if module is self._subject.module:
            return self._subject.network
        return export_module(module, self._subject.info, self._config)


@final
@dataclass(frozen=True)
class _Exported:
    """A network before it is quantized.

    Attributes:
        prepared: As it is to answer.
        trained: What is quantized: trained on with rounding, so that its biases make up for that already; or the same.
        notes: What was done, a sentence each.
    """

    prepared: "ModelProto"
    trained: "ModelProto"
    notes: tuple[str, ...]


def with_float_ends(settings: QuantizeConfig) -> QuantizeConfig:
    """The same with float input and output."""
    return settings.model_copy(update={"input": "float", "output": "float"})


def _with_biases(model: "ModelProto", corrected: "ModelProto") -> "ModelProto":
    """A quantized network with the biases (int32) of the same one that differs in its ends only."""
    biases = {
        tensor.name: tensor for tensor in corrected.graph.initializer if tensor.data_type == tensor.DataType.INT32
    }
    for tensor in model.graph.initializer:
        if tensor.name in biases:
            tensor.CopyFrom(biases[tensor.name])
    return model
