"""A network's graph made ready for quantization, and what quantization leaves of it made tidy."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vernier.errors import ModelError

if TYPE_CHECKING:
    import onnx

_QUANTIZED = (
    "QuantizeLinear",
    "DequantizeLinear",
    "QLinearConv",
    "QLinearMatMul",
    "QGemm",
    "ConvInteger",
    "MatMulInteger",
)
_LEAST_OPSET = 13
_POOLED_AXES = ({2, 3}, {-1, -2})


def optimize_graph(network: "onnx.ModelProto") -> "onnx.ModelProto":
    """Fold constants and fuse what onnxruntime fuses without leaving ONNX's operators, then infer all shapes.

    Means over height and width become GlobalAveragePool, which has an integer kernel. Every node has a name of its own.

    Raises:
        ModelError: The network is quantized already, of an opset below 13, or none that onnxruntime runs.
    """
    import onnx

    _check(network)
    model = onnx.shape_inference.infer_shapes(_fused(_split_hard_swish(network)))
    _pool(model)
    _name_nodes(model)
    remove_unused(model)
    return onnx.shape_inference.infer_shapes(model)


def remove_unused(model: "onnx.ModelProto") -> None:
    """Drop initializers and operator sets that no node uses."""
    import onnx

    used = {name for node in model.graph.node for name in node.input}
    kept = [tensor for tensor in model.graph.initializer if tensor.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    domains = {node.domain for node in model.graph.node} | {""}
    opsets = [onnx.helper.make_opsetid(o.domain, o.version) for o in model.opset_import if o.domain in domains]
    del model.opset_import[:]
    model.opset_import.extend(opsets)


def remove_notes(model: "onnx.ModelProto") -> None:
    """Drop what the tracer noted at nodes and values: it is as large as many a network, and tells paths."""
    del model.metadata_props[:]
    for part in (*model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output):
        del part.metadata_props[:]
        part.doc_string = ""


def opset_of(model: "onnx.ModelProto") -> int:
    """Version of ONNX's own operators."""
    return next(int(opset.version) for opset in model.opset_import if opset.domain in ("", "ai.onnx"))


def _check(network: "onnx.ModelProto") -> None:
    found = next((node for node in network.graph.node if node.op_type in _QUANTIZED), None)
    if found is not None:
        raise ModelError(
            f"the network is quantized already: it holds {found.op_type} ({found.name or 'unnamed'}); "
            "quantize the float model that it was made of"
        )
    if opset_of(network) < _LEAST_OPSET:
        raise ModelError(
            f"the network is of opset {opset_of(network)}, and quantization needs {_LEAST_OPSET} or more; "
            "export it again with export.opset=18"
        )


def _split_hard_swish(network: "onnx.ModelProto") -> "onnx.ModelProto":
    """A copy with x * HardSigmoid(x) for HardSwish: onnxruntime would do it too, with names of its own."""
    import onnx

    model = onnx.ModelProto()
    model.CopyFrom(network)
    nodes = list(model.graph.node)
    del model.graph.node[:]
    for node in nodes:
        if node.op_type == "HardSwish":
            gate = f"{node.output[0]}/gate"
            sigmoid = onnx.helper.make_node("HardSigmoid", [node.input[0]], [gate], f"{node.name}/gate", alpha=1 / 6)
            product = onnx.helper.make_node("Mul", [node.input[0], gate], [node.output[0]], node.name)
            model.graph.node.extend([sigmoid, product])
        else:
            model.graph.node.append(node)
    return model


def _fused(network: "onnx.ModelProto") -> "onnx.ModelProto":
    import onnx
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as errors

    with tempfile.TemporaryDirectory(prefix="vernier-quantize-") as directory:
        file = Path(directory, "fused.onnx")
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(file)
        try:
            onnxruntime.InferenceSession(network.SerializeToString(), options, providers=["CPUExecutionProvider"])
        except (errors.Fail, errors.InvalidGraph, errors.InvalidArgument, errors.NotImplemented) as error:
            raise ModelError(f"onnxruntime can't run the network: {error}") from None
        return onnx.load_model(file)


def _pool(model: "onnx.ModelProto") -> None:
    """Put GlobalAveragePool, and Flatten where the axes go, in place of means over height and width."""
    import onnx

    ranks = {value.name: len(value.type.tensor_type.shape.dim) for value in model.graph.value_info}
    nodes = list(model.graph.node)
    del model.graph.node[:]
    for node in nodes:
        if node.op_type != "ReduceMean" or ranks.get(node.input[0]) != 4 or _axes(model, node) not in _POOLED_AXES:
            model.graph.node.append(node)
        elif _attribute(node, "keepdims", 1):
            model.graph.node.append(_renamed("GlobalAveragePool", node, node.output[0]))
        else:
            pooled = f"{node.output[0]}/pooled"
            model.graph.node.append(_renamed("GlobalAveragePool", node, pooled))
            flat = onnx.helper.make_node("Flatten", [pooled], [node.output[0]], f"{node.name}/flatten", axis=1)
            model.graph.node.append(flat)


def _renamed(operator: str, node: "onnx.NodeProto", output: str) -> "onnx.NodeProto":
    import onnx

    pool = onnx.helper.make_node(operator, [node.input[0]], [output], node.name)
    pool.metadata_props.extend(node.metadata_props)
    return pool


def _axes(model: "onnx.ModelProto", node: "onnx.NodeProto") -> set[int]:
    """The axes of a ReduceMean: an attribute up to opset 17, an input from 18 on; empty where it is not known."""
    if len(node.input) == 1:
        return set(_attribute(node, "axes", []))
    return set(constant(model, node.input[1], np.zeros(0)).astype(int).reshape(-1).tolist())


def constant(model: "onnx.ModelProto", name: str, default: np.ndarray) -> np.ndarray:
    """The initializer of a name, or the default where there is none."""
    import onnx

    tensor = next((tensor for tensor in model.graph.initializer if tensor.name == name), None)
    return default if tensor is None else np.asarray(onnx.numpy_helper.to_array(tensor))


def _attribute(node: "onnx.NodeProto", name: str, default: Any) -> Any:
    import onnx

    found = next((attribute for attribute in node.attribute if attribute.name == name), None)
    return default if found is None else onnx.helper.get_attribute_value(found)


def _name_nodes(model: "onnx.ModelProto") -> None:
    """Each node by a name of its own: what it has already, or what its output is called."""
    seen: set[str] = set()
    for node in model.graph.node:
        if not node.name or node.name in seen:
            node.name = f"{node.op_type}_{node.output[0]}"
        seen.add(node.name)
