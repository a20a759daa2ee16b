"""Integers at the input and the output of a quantized network."""

from typing import TYPE_CHECKING, Any

import numpy as np

from vernier.config.quantize import TensorType
from vernier.deploy.onnx_info import INPUT, LOGITS
from vernier.deploy.quantize.graph import constant
from vernier.errors import ConfigError, ConfigProblem

if TYPE_CHECKING:
    import onnx

_QUANTIZE, _DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"
_SHIFTED = "_zero_point_io"


def make_input_integer(model: "onnx.ModelProto", wanted: TensorType) -> dict[str, Any] | None:
    """Make `input` an integer in place; None, and nothing changed, where float is wanted.

    Where `wanted` is not the type of the activations, the same integers come in shifted by 128.

    Returns:
        `type`, `scale` and `zero_point`.

    Raises:
        ConfigError: What takes the input was left in float.
    """
    if wanted == "float":
        return None
    first = next((node for node in model.graph.node if node.op_type == _QUANTIZE and node.input[0] == INPUT), None)
    if first is None:
        raise _problem("input", wanted)
    scale, zero_point = _parameters(model, first)
    shift = _shift(zero_point, wanted)
    if shift:
        name = _add_zero_point(model, INPUT, int(zero_point) + shift, wanted)
        _insert(model, first, _DEQUANTIZE, [INPUT, first.input[1], name], f"{INPUT}/float")
        first.input[0] = f"{INPUT}/float"
    else:
        _rename(model, first.output[0], INPUT)
        model.graph.node.remove(first)
    _set_type(model.graph.input[0], wanted)
    return _described(wanted, scale, int(zero_point) + shift)


def make_output_integer(model: "onnx.ModelProto", wanted: TensorType) -> dict[str, Any] | None:
    """Make `logits` an integer in place, as `make_input_integer` does `input`."""
    if wanted == "float":
        return None
    last = next((node for node in model.graph.node if node.op_type == _DEQUANTIZE and LOGITS in node.output), None)
    if last is None:
        raise _problem("output", wanted)
    scale, zero_point = _parameters(model, last)
    shift = _shift(zero_point, wanted)
    if shift:
        name = _add_zero_point(model, LOGITS, int(zero_point) + shift, wanted)
        last.output[0] = f"{LOGITS}/float"
        _append(model, _QUANTIZE, [f"{LOGITS}/float", last.input[1], name], LOGITS)
    else:
        integers = last.input[0]
        model.graph.node.remove(last)
        _rename(model, integers, LOGITS)
    _set_type(model.graph.output[0], wanted)
    return _described(wanted, scale, int(zero_point) + shift)


def _problem(key: str, wanted: str) -> ConfigError:
    place = {"input": "first", "output": "last"}[key]
    message = f"{wanted} needs a {place} layer of integers, but it is left in float; set quantize.{key}=float"
    return ConfigError([ConfigProblem(f"quantize.{key}", message)])


def _described(kind: TensorType, scale: np.ndarray, zero_point: int) -> dict[str, Any]:
    return {"type": kind, "scale": float(scale), "zero_point": zero_point}


def _parameters(model: "onnx.ModelProto", node: "onnx.NodeProto") -> tuple[np.ndarray, np.ndarray]:
    scale, zero_point = (constant(model, name, np.zeros(())) for name in node.input[1:3])
    return scale, zero_point


def _shift(zero_point: np.ndarray, wanted: TensorType) -> int:
    """What integers of the type of the zero point get added to become the wanted ones."""
    return int(np.iinfo(wanted).min) - int(np.iinfo(zero_point.dtype).min)


def _add_zero_point(model: "onnx.ModelProto", tensor: str, value: int, kind: TensorType) -> str:
    import onnx

    name = tensor + _SHIFTED
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(value, kind), name))
    return name


def _insert(model: "onnx.ModelProto", before: "onnx.NodeProto", operator: str, inputs: list[str], output: str) -> None:
    import onnx

    place = list(model.graph.node).index(before)
    model.graph.node.insert(place, onnx.helper.make_node(operator, inputs, [output], f"{output}/{operator}"))


def _append(model: "onnx.ModelProto", operator: str, inputs: list[str], output: str) -> None:
    import onnx

    model.graph.node.append(onnx.helper.make_node(operator, inputs, [output], f"{output}/{operator}"))


def _rename(model: "onnx.ModelProto", old: str, new: str) -> None:
    for node in model.graph.node:
        node.input[:] = [new if name == old else name for name in node.input]
        node.output[:] = [new if name == old else name for name in node.output]


def _set_type(value: "onnx.ValueInfoProto", kind: TensorType) -> None:
    import onnx

    value.type.tensor_type.elem_type = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(kind))
