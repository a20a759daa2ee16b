"""How much noise 8 bits bring into each layer."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from vernier.deploy.onnx_info import INPUT
from vernier.deploy.quantize.names import layer_names
from vernier.errors import MissingExtraError

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto
    from onnxruntime import InferenceSession

Batches = Callable[[], Iterator[np.ndarray]]
"""Starts a pass over preprocessed images, float32 (n, C, height, width) at once."""

IMAGES = 16
"""So many images tell which layers are worst."""

_LAYERS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_OUTPUT_SUFFIX = "_QuantizeLinear_Input"
"""What onnxruntime appends to the name of a graph's output where it quantizes it."""


@final
@dataclass(frozen=True)
class LayerNoise:
    """Signal-to-quantization-noise ratios of a layer in dB: 10 log10 of the sum of x^2 over that of (x - q)^2.

    x is what the float network computes, q what the quantized one does; both run as a whole, so a layer's output has
    the noise of its input too. Infinite where there is no noise.

    Attributes:
        name: As `quantize.exclude` matches it.
        kind: ONNX's name of the operation.
        output: Of its activations, rounded to 8 bits.
        input: Of what comes in.
        weights: Of its weights alone; infinite for layers left in float.
    """

    name: str
    kind: str
    output: float
    input: float
    weights: float

    @property
    def added(self) -> float:
        """Noise over signal that this layer adds to that of its input, from 0."""
        return max(0.0, 10 ** (-self.output / 10) - 10 ** (-self.input / 10))

    def to_json(self) -> dict[str, Any]:
        """As JSON types; None for infinite ratios."""
        ratios = {"output_db": self.output, "input_db": self.input, "weights_db": self.weights}
        finite = {name: value if math.isfinite(value) else None for name, value in ratios.items()}
        return {"layer": self.name, "kind": self.kind, **finite, "added": self.added}


def measure_noise(
    network: "ModelProto", quantized: "ModelProto", batches: Batches, *, images: int = IMAGES
) -> tuple[LayerNoise, ...]:
    """The noise of every layer that both networks have, the one that adds most first.

    One image is in memory at a time, with its activations in both networks.

    Args:
        network: The float network that was quantized.
        quantized: What became of it (QDQ).
        batches: Images to measure on; the first ones are taken.
        images: How many of them.

    Raises:
        MissingExtraError: onnxruntime is missing.
    """
    layers = _matched_layers(network, quantized)
    tensors = dict.fromkeys(pair for layer in layers for pair in (layer.input, layer.output))
    ratios = _activation_ratios(network, quantized, list(tensors), _some(batches, images))
    found = (
        LayerNoise(layer.name, layer.kind, ratios[layer.output], ratios[layer.input], layer.weights) for layer in layers
    )
    return tuple(sorted(found, key=lambda noise: -noise.added))


@dataclass(frozen=True)
class _Layer:
    """A layer of both networks; tensors are pairs of names, the float network's first."""

    name: str
    kind: str
    input: tuple[str, str]
    output: tuple[str, str]
    weights: float


@final
class _Graph:
    """A graph by the names in it."""

    def __init__(self, model: "ModelProto") -> None:
        self.nodes = {node.name: node for node in model.graph.node if node.op_type in _LAYERS}
        self.producers: dict[str, NodeProto] = {name: node for node in model.graph.node for name in node.output}
        self.consumers: dict[str, list[NodeProto]] = {}
        for node in model.graph.node:
            for name in node.input:
                self.consumers.setdefault(name, []).append(node)
        self.constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self.names = {*self.producers, *(value.name for value in model.graph.input)}

    def rounded(self, name: str) -> str:
        """The tensor that comes out of quantizing and dequantizing another one; that one itself without."""
        for node in self.consumers.get(name, []):
            if node.op_type == "QuantizeLinear":
                dequantized = self.consumers.get(node.output[0], [])
                return next((each.output[0] for each in dequantized), name)
        return name

    def before_rounding(self, name: str) -> str:
        """The tensor whose quantized values another one holds; that one itself for floats."""
        for kind in ("DequantizeLinear", "QuantizeLinear"):
            node = self.producers.get(name)
            if node is not None and node.op_type == kind:
                name = node.input[0]
        return name

    def weights(self, name: str) -> np.ndarray | None:
        """The values of a constant, dequantized where it is quantized; None for what is computed."""
        from onnx import numpy_helper

        if name in self.constants:
            return np.asarray(numpy_helper.to_array(self.constants[name]))
        node = self.producers.get(name)
        if node is None or node.op_type != "DequantizeLinear" or node.input[0] not in self.constants:
            return None
        values, scale, *zero_point = (numpy_helper.to_array(self.constants[each]) for each in node.input)
        axis = next((each.i for each in node.attribute if each.name == "axis"), 1)
        shape = [-1 if place == axis % values.ndim else 1 for place in range(values.ndim)] if scale.ndim else []
        offset = zero_point[0].reshape(shape).astype(np.float32) if zero_point else np.float32(0)
        return np.asarray((values.astype(np.float32) - offset) * scale.reshape(shape))


def _matched_layers(network: "ModelProto", quantized: "ModelProto") -> list[_Layer]:
    before, after = _Graph(network), _Graph(quantized)
    names = layer_names(network)
    shared = [name for name in before.nodes if name in after.nodes]
    layers = (_matched(before, after, name, names[name]) for name in shared)
    return [layer for layer in layers if layer is not None]


def _matched(before: _Graph, after: _Graph, node: str, name: str) -> _Layer | None:
    """The layer of both graphs; None where its tensors have other names in one of them."""
    old, new = before.nodes[node], after.nodes[node]
    output, source = new.output[0].removesuffix(_OUTPUT_SUFFIX), after.before_rounding(new.input[0])
    if output not in before.names or source not in before.names:
        return None
    ratio = _weights_ratio(before.weights(old.input[1]), after.weights(new.input[1]))
    return _Layer(name, old.op_type, (source, new.input[0]), (output, after.rounded(new.output[0])), ratio)


def _weights_ratio(exact: np.ndarray | None, rounded: np.ndarray | None) -> float:
    if exact is None or rounded is None or exact.shape != rounded.shape:
        return math.inf
    return _decibels(*_powers(exact, rounded))


def _activation_ratios(
    network: "ModelProto", quantized: "ModelProto", tensors: Sequence[tuple[str, str]], images: Iterable[np.ndarray]
) -> dict[tuple[str, str], float]:
    """The ratio of each pair of tensors over all images."""
    names = [list(dict.fromkeys(each)) for each in zip(*tensors, strict=True)] if tensors else [[], []]
    sessions = [_session_with(model, inner) for model, inner in zip((network, quantized), names, strict=True)]
    powers = {pair: np.zeros(2) for pair in tensors}
    for image in images:
        values = [_run(session, inner, image) for session, inner in zip(sessions, names, strict=True)]
        for pair in tensors:
            powers[pair] += _powers(values[0][pair[0]], values[1][pair[1]])
    return {pair: _decibels(*power) for pair, power in powers.items()}


def _session_with(model: "ModelProto", names: Sequence[str]) -> "InferenceSession":
    """A session whose outputs are some inner tensors."""
    try:
        import onnxruntime
    except ImportError:
        raise MissingExtraError("the noise of quantized layers", "onnx") from None
    from onnx import ModelProto, ValueInfoProto

    watched = ModelProto()
    watched.CopyFrom(model)
    present = {value.name for value in (*model.graph.output, *model.graph.input)}
    watched.graph.output.extend(ValueInfoProto(name=name) for name in names if name not in present)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = 1, 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(watched.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _run(session: "InferenceSession", names: Sequence[str], image: np.ndarray) -> dict[str, np.ndarray]:
    computed = [name for name in names if name != INPUT]
    values = dict(zip(computed, session.run(computed, {INPUT: image}), strict=True))
    return values | {INPUT: image}


def _some(batches: Batches, images: int) -> Iterator[np.ndarray]:
    """Single images, (1, C, height, width)."""
    left = images
    for batch in batches():
        for place in range(min(left, len(batch))):
            yield batch[place : place + 1]
        left -= len(batch)
        if left <= 0:
            return


def _powers(exact: np.ndarray, rounded: np.ndarray) -> tuple[float, float]:
    """Sums of the squares of signal and noise."""
    signal = exact.astype(np.float64)
    return float((signal**2).sum()), float(((signal - rounded) ** 2).sum())


def _decibels(signal: float, noise: float) -> float:
    if noise == 0:
        return math.inf
    return 10 * math.log10(signal / noise) if signal > 0 else -math.inf
