"""Static quantization of a network to 8-bit integers, in ONNX's QDQ form."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from vernier.config.quantize import QuantizeConfig
from vernier.data.wording import listed
from vernier.deploy.onnx_info import LOGITS
from vernier.deploy.quantize.graph import constant, optimize_graph, remove_notes, remove_unused
from vernier.deploy.quantize.integer_io import make_input_integer, make_output_integer
from vernier.deploy.quantize.names import layer_names
from vernier.deploy.quantize.processor import choose_reduce_range
from vernier.deploy.quantize.ranges import Batches, Range, Ranges, measure_ranges
from vernier.errors import ConfigError, ConfigProblem, MissingExtraError, ModelError

if TYPE_CHECKING:
    import onnx

_NEAREST = 5
_WEIGHTED = ("Conv", "Gemm", "MatMul")
_BOUNDED = ("Relu", "Clip")
_MOVED = ("Reshape", "Squeeze", "Unsqueeze", "Flatten", "Transpose", "Split", "Slice")
_COMPUTED = (
    "Pad",
    "Resize",
    "MaxPool",
    "Add",
    "Mul",
    "LeakyRelu",
    "Sigmoid",
    "AveragePool",
    "GlobalAveragePool",
    "Concat",
)
INTEGER_OPERATORS = (*_WEIGHTED, *_BOUNDED, *_MOVED, *_COMPUTED)
"""What onnxruntime has integer kernels for on CPUs; the others would be computed in float between roundings."""


@final
@dataclass(frozen=True)
class Quantized:
    """A quantized network.

    Attributes:
        model: QDQ; `input` and `logits` as in the float network, integers where that was asked for.
        quantization: how it came about, for `OnnxInfo.quantization`; without what calibrated it.
        float_layers: layers left in float, each with its operator: `stem (Conv)`.
    """

    model: "onnx.ModelProto"
    quantization: dict[str, Any]
    float_layers: tuple[str, ...]


def quantize_network(network: "onnx.ModelProto", batches: Batches, settings: QuantizeConfig) -> Quantized:
    """Quantize a network after training: weights by their own range, activations by that on calibration images.

    Weights are symmetric int8 with a scale for each output channel or one for all, activations asymmetric ones of
    8 bits, biases int32. A ReLU or clip behind a quantized layer becomes a part of its range. Logits stay float where
    the last layer can give them, unless `settings.output` asks for integers. Equal arguments give equal bytes.

    Args:
        network: Of kind network, with a float32 input `input` and a float32 output `logits`; left as it is.
        batches: Starts a pass over the calibration images, preprocessed, float32 (n, C, height, width) each.
        settings: granularity, method, percentile, activations, first_layer_float, exclude, reduce_range, input, output.

    Raises:
        MissingExtraError: onnx or onnxruntime is missing.
        ModelError: The network is quantized already, holds nothing to quantize, or gives values that are not finite.
        ConfigError: A pattern that no layer has, or settings that the network can't fulfil.
        DataError: No calibration images.
    """
    try:
        import onnx
        import onnxruntime  # noqa: F401
    except ImportError:
        raise MissingExtraError("quantization", "onnx") from None
    graph = optimize_graph(network)
    selected = _selected_nodes(graph, settings)
    ranges = _measure(graph, selected, batches, settings)
    reduce_range, reason = choose_reduce_range(settings.reduce_range)
    names, floats = layer_names(graph), _floats(graph)
    layers = {node.name: names[node.name] for node in graph.graph.node if node.output[0] in floats}
    model = _insert_pairs(graph, ranges.of_tensors, selected, settings, reduce_range)
    if settings.output == "float":
        _keep_logits_float(model)
    integers = {
        "input": make_input_integer(model, settings.input),
        "output": make_output_integer(model, settings.output),
    }
    remove_unused(model)
    remove_notes(model)
    onnx.checker.check_model(model)
    float_layers = tuple(_float_layers(model, layers, {node.name for node in selected}))
    quantization = {
        **_described(settings),
        "images": ranges.images,
        "reduce_range": reduce_range,
        "reduce_range_reason": reason,
        "float_layers": list(float_layers),
        **integers,
    }
    return Quantized(model, quantization, float_layers)


def _described(settings: QuantizeConfig) -> dict[str, Any]:
    return {
        "weights": "int8",
        "activations": settings.activations,
        "granularity": settings.granularity,
        "method": settings.method,
        "percentile": settings.percentile if settings.method == "percentile" else None,
    }


def _selected_nodes(graph: "onnx.ModelProto", settings: QuantizeConfig) -> list["onnx.NodeProto"]:
    """What is computed in integers."""
    excluded = _excluded_nodes(graph, settings)
    operators = _integer_operators(graph)
    able = [node for node in graph.graph.node if node.op_type in operators and _fits_range(graph, node)]
    selected = [node for node in able if node.name not in excluded]
    if not any(node.op_type in _WEIGHTED for node in selected):
        left = f" but for what quantize.exclude={list(settings.exclude)} leaves in float" if settings.exclude else ""
        raise ModelError(f"the network holds nothing to quantize: no {', '.join(_WEIGHTED[:-1])} or MatMul{left}")
    return selected


def _measure(
    graph: "onnx.ModelProto", selected: Sequence["onnx.NodeProto"], batches: Batches, settings: QuantizeConfig
) -> Ranges:
    """Ranges of all tensors that the selected nodes read and write; a ReLU's or clip's input has its output's."""
    hidden = _hidden_tensors(graph, selected)
    tensors = [name for name in _float_tensors(graph, selected) if name not in hidden]
    ranges = measure_ranges(graph, tensors, batches, settings)
    inherited = {name: ranges.of_tensors[shown] for name, shown in hidden.items()}
    return Ranges(ranges.of_tensors | inherited, ranges.images)


def _excluded_nodes(graph: "onnx.ModelProto", settings: QuantizeConfig) -> set[str]:
    """Names of the nodes that stay in float: those whose layer's or own name a pattern matches as a whole."""
    layers = layer_names(graph)
    excluded: set[str] = set()
    problems = []
    for pattern in settings.exclude:
        matched = {
            node for node, layer in layers.items() if re.fullmatch(pattern, layer) or re.fullmatch(pattern, node)
        }
        if not matched:
            problems.append(ConfigProblem("quantize.exclude", _unmatched(graph, pattern, layers)))
        excluded |= matched
    if problems:
        raise ConfigError(problems)
    return excluded | _first_convolution(graph, settings)


def _unmatched(graph: "onnx.ModelProto", pattern: str, layers: dict[str, str]) -> str:
    weighted = [layers[node.name] for node in graph.graph.node if node.op_type in _WEIGHTED]
    near = difflib.get_close_matches(pattern, weighted, n=_NEAREST, cutoff=0.3) or weighted
    return f"{pattern!r} is the whole name of no layer; layers near it are {listed(near)}"


def _first_convolution(graph: "onnx.ModelProto", settings: QuantizeConfig) -> set[str]:
    if not settings.first_layer_float:
        return set()
    first = next((node.name for node in graph.graph.node if node.op_type == "Conv"), None)
    if first is None:
        message = "leaves the first convolution in float, but the network has none; set it to false"
        raise ConfigError([ConfigProblem("quantize.first_layer_float", message)])
    return {first}


def _fits_range(graph: "onnx.ModelProto", node: "onnx.NodeProto") -> bool:
    """Whether a node is no clip, or one that can become part of a range: with 0 in it."""
    if node.op_type != "Clip":
        return True
    bounds = [*node.input, "", ""][1:3]
    low, high = (constant(graph, name, np.array(np.nan)) if name else np.zeros(()) for name in bounds)
    return bool(low <= 0 <= high)


def _integer_operators(graph: "onnx.ModelProto") -> set[str]:
    """Sums stay in float beside layer normalization: in transformers they hold a few values far beyond all others."""
    normalized = any(node.op_type == "LayerNormalization" for node in graph.graph.node)
    return set(INTEGER_OPERATORS) - ({"Add"} if normalized else set())


def _hidden_tensors(graph: "onnx.ModelProto", selected: Sequence["onnx.NodeProto"]) -> dict[str, str]:
    """Inputs of ReLUs and clips that nothing else reads, with the output that stands for them."""
    readers: dict[str, int] = {}
    for node in graph.graph.node:
        for name in node.input:
            readers[name] = readers.get(name, 0) + 1
    bounded = [node for node in selected if node.op_type in _BOUNDED]
    hidden = {node.input[0]: node.output[0] for node in bounded if readers[node.input[0]] == 1}
    outer = {value.name for value in (*graph.graph.input, *graph.graph.output)}
    last = {name: _last(hidden, name) for name in hidden}
    return {name: shown for name, shown in last.items() if name not in outer}


def _last(hidden: dict[str, str], name: str) -> str:
    while name in hidden:
        name = hidden[name]
    return name


def _float_tensors(graph: "onnx.ModelProto", selected: Sequence["onnx.NodeProto"]) -> list[str]:
    """What the selected nodes read and write that is float32 and no constant, each once, in the nodes' order."""
    floats = _floats(graph)
    constants = {tensor.name for tensor in graph.graph.initializer}
    names = (name for node in selected for name in (*node.input, *node.output))
    return [name for name in dict.fromkeys(names) if name in floats and name not in constants]


def _floats(graph: "onnx.ModelProto") -> set[str]:
    """Tensors that are known to be float32."""
    import onnx

    values = (*graph.graph.value_info, *graph.graph.input, *graph.graph.output)
    return {value.name for value in values if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT}


def _insert_pairs(
    graph: "onnx.ModelProto",
    ranges: dict[str, Range],
    selected: Sequence["onnx.NodeProto"],
    settings: QuantizeConfig,
    reduce_range: bool,
) -> "onnx.ModelProto":
    """Let onnxruntime put QuantizeLinear and DequantizeLinear around the nodes, with ranges of our own."""
    from onnxruntime.quantization import QuantType
    from onnxruntime.quantization.calibrate import CalibrationMethod, TensorData, TensorsData
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

    of_tensors = {
        name: TensorData(lowest=np.array(low, np.float32), highest=np.array(high, np.float32))
        for name, (low, high) in ranges.items()
    }
    quantizer = QDQQuantizer(
        graph,
        settings.granularity == "per_channel",
        reduce_range,
        QuantType.QInt8,
        {"uint8": QuantType.QUInt8, "int8": QuantType.QInt8}[settings.activations],
        TensorsData(CalibrationMethod.MinMax, of_tensors),
        [node.name for node in selected],
        [],
        list(INTEGER_OPERATORS),
        {"WeightSymmetric": True, "ActivationSymmetric": False},
    )
    quantizer.quantize_model()
    model: onnx.ModelProto = quantizer.model.model
    quantizer.model.topological_sort()
    return model


def _keep_logits_float(model: "onnx.ModelProto") -> None:
    """Take the rounding of the logits away behind a matrix product, whose integer kernel gives float as well."""
    nodes = {name: node for node in model.graph.node for name in node.output}
    last = nodes[LOGITS]
    if last.op_type != "DequantizeLinear":
        return
    rounding = nodes[last.input[0]]
    product = nodes.get(rounding.input[0])
    if product is not None and product.op_type == "Gemm":
        model.graph.node.remove(last)
        model.graph.node.remove(rounding)
        product.output[0] = LOGITS


def _float_layers(model: "onnx.ModelProto", layers: dict[str, str], selected: set[str]) -> list[str]:
    """The layers that compute in float: not selected, or their input is no integer."""
    integers = {name for node in model.graph.node if node.op_type == "DequantizeLinear" for name in node.output}
    return [
        f"{layers[node.name]} ({node.op_type})"
        for node in model.graph.node
        if node.name in layers
        and node.op_type not in _MOVED
        and not (node.name in selected and node.input[0] in integers)
    ]
