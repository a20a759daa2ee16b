"""What the search sees: how well an int8 network does on the images that choose the settings."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, final

import numpy as np

from vernier.config.quantize import QuantizeConfig
from vernier.config.root import Config
from vernier.deploy.onnx_classifier import OnnxClassifier, open_session
from vernier.deploy.onnx_info import OnnxInfo
from vernier.deploy.quantize.conversion import Conversion, with_float_ends
from vernier.deploy.quantize.gate import Model, compute_logits, decisive_measure
from vernier.deploy.quantize.noise import Batches, measure_noise
from vernier.deploy.quantize.search import Score
from vernier.evaluation.metrics import Measures, measure
from vernier.evaluation.part import Part

if TYPE_CHECKING:
    from onnx import ModelProto

_IMAGES = 1000
"""So many images choose at most."""


@final
class Selection:
    """Scores settings on validation images; what it loses is counted against the float model.

    Args:
        conversion: Quantizes.
        info: Of the model.
        reference: The float model.
        part: The validation images; at most 1000 of them are taken, in equal steps.
        config: How to read and measure.
        batches: Images for the noise.
    """

    def __init__(
        self,
        conversion: Conversion,
        info: OnnxInfo,
        reference: Model,
        part: Part,
        config: Config,
        batches: Batches,
    ) -> None:
        self._conversion, self._info, self._config, self._batches = conversion, info, config, batches
        self._part = replace(part, positions=_in_steps(part.positions, _IMAGES))
        self._task = info.make_task()
        self._float = self._measure(reference)

    def score(self, settings: QuantizeConfig) -> Score:
        """Quantize, and measure."""
        model = self._conversion.convert(with_float_ends(settings)).quantized.model
        values = self._measure(network_classifier(model, self._info)).values
        name = decisive_measure(self._task)
        drop = 100 * (self._float.values[name] - values[name])
        return Score(drop, values["loss"], model.ByteSize())

    def noisiest(self, settings: QuantizeConfig) -> Sequence[str]:
        """Names of layers, the one that adds most noise first; without those that are in float."""
        converted = self._conversion.convert(with_float_ends(settings))
        noise = measure_noise(converted.network, converted.quantized.model, self._batches)
        return [layer.name for layer in noise if math.isfinite(layer.weights)]

    def _measure(self, model: Model) -> Measures:
        logits, targets = compute_logits({"model": model}, self._part, self._config.data)
        return measure(logits["model"], targets, self._task, self._config.evaluate)


def network_classifier(network: "ModelProto", info: OnnxInfo) -> OnnxClassifier:
    """A raw network of float input and output, made ready to classify."""
    raw = replace(info, kind="network", quantization=None)
    session = open_session(network.SerializeToString())
    return OnnxClassifier(session, raw, info.make_preprocessing(), info.make_task())


def _in_steps(positions: np.ndarray, most: int) -> np.ndarray:
    """At most so many of the positions, in equal steps."""
    if len(positions) <= most:
        return positions
    return positions[np.linspace(0, len(positions) - 1, most).round().astype(np.int64)]
