"""What a graph knows before an image comes: stored values, and what follows from them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    import onnx

DEQUANTIZE = "DequantizeLinear"
QUANTIZE = "QuantizeLinear"


@final
@dataclass(frozen=True)
class Constant:
    """A value that does not depend on the image.

    Attributes:
        name: of what is stored; two operators that share it store it once.
        shape: its own.
        width: bytes of an element as stored; 0 for shapes and indices, which become part of the code.
        rounded: whether it is stored in integers with a scale.
    """

    name: str
    shape: tuple[int, ...]
    width: int
    rounded: bool = False

    @property
    def elements(self) -> int:
        """How many numbers are stored; none for shapes and indices."""
        return prod(self.shape) if self.width else 0


def read_constants(graph: "onnx.GraphProto") -> dict[str, Constant]:
    """Stored values and what is computed from them alone, by the names that nodes read."""
    found = {tensor.name: _stored(tensor.name, tensor) for tensor in graph.initializer}
    for node in graph.node:
        inputs = [name for name in node.input if name]
        if node.op_type == "Constant":
            found[node.output[0]] = _of_node(node)
        elif node.op_type == "Shape" or (inputs and all(name in found for name in inputs)):
            found.update({name: _derived(node, name, found) for name in node.output})
    return found


def scale_bytes(graph: "onnx.GraphProto", constants: Mapping[str, Constant]) -> int:
    """Bytes of the scales and zero points of a quantized graph, each once."""
    return sum({constant.name: _bytes(constant) for constant in _scales(graph, constants)}.values())


def _scales(graph: "onnx.GraphProto", constants: Mapping[str, Constant]) -> Iterator[Constant]:
    for node in graph.node:
        if node.op_type in (QUANTIZE, DEQUANTIZE):
            yield from (constants[name] for name in node.input[1:] if name in constants)


def _bytes(constant: Constant) -> int:
    return constant.elements * constant.width


def _stored(name: str, tensor: "onnx.TensorProto") -> Constant:
    from onnx import TensorProto

    widths: dict[int, int] = {
        TensorProto.FLOAT: 4,
        TensorProto.DOUBLE: 8,
        TensorProto.FLOAT16: 2,
        TensorProto.BFLOAT16: 2,
        TensorProto.INT8: 1,
        TensorProto.UINT8: 1,
        TensorProto.INT16: 2,
        TensorProto.UINT16: 2,
        TensorProto.INT32: 4,
    }
    return Constant(name, tuple(tensor.dims), widths.get(tensor.data_type, 0))


def _of_node(node: "onnx.NodeProto") -> Constant:
    attribute = node.attribute[0]
    if attribute.name == "value":
        return _stored(node.output[0], attribute.t)
    return Constant(node.output[0], (len(attribute.floats) or 1,), 4 if attribute.name.startswith("value_float") else 0)


def _derived(node: "onnx.NodeProto", name: str, found: Mapping[str, Constant]) -> Constant:
    if node.op_type == "Shape":
        return Constant(name, (), 0)
    first = found[node.input[0]]
    return replace(first, rounded=True) if node.op_type == DEQUANTIZE else first
