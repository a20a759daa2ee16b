"""A network as a device would run it: operators that take room in memory, and what each of them stores."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, Any, Literal, final

from vernier.deploy.footprint.constants import Constant, read_constants, scale_bytes
from vernier.deploy.footprint.integers import Integers, pairs_as_they_are, pairs_ignored
from vernier.deploy.footprint.shapes import Shaped, read_shapes
from vernier.deploy.onnx_info import IMAGE
from vernier.errors import ModelError

if TYPE_CHECKING:
    import onnx

Precision = Literal["float32", "int8"]

WIDTHS: Mapping[Precision, int] = {"float32": 4, "int8": 1}
"""Bytes of an activation, and of a weight."""

_ACTIVATIONS = frozenset({"Relu", "Clip", "LeakyRelu", "PRelu"})
_TAKE_ACTIVATIONS = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul", "Add", "BatchNormalization"})


@final
@dataclass(frozen=True)
class Tensor:
    """An activation.

    Attributes:
        shape: with the batch in front.
        bytes: in memory.
    """

    shape: tuple[int, ...]
    bytes: int


@final
@dataclass(frozen=True)
class Operator:
    """A step of the network.

    Attributes:
        name: of the node.
        kind: ONNX's name; `Conv+Clip` for a convolution with its activation function.
        inputs: activations that it reads.
        outputs: activations that it writes.
        constants: stored values by place among the node's inputs; those of its activation function lie behind.
        attributes: of the node, as plain values.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    constants: Mapping[int, Constant]
    attributes: Mapping[str, Any]

    @property
    def base(self) -> str:
        """ONNX's name without the activation function."""
        return self.kind.partition("+")[0]


@final
@dataclass(frozen=True)
class Network:
    """Operators in the order of the graph.

    Attributes:
        operators: what runs.
        tensors: activations by name.
        inputs: names of the network's inputs.
        outputs: names of its outputs.
        scale_bytes: scales and zero points of a quantized graph.
        wrapped: whether preprocessing and probabilities were left out.
    """

    operators: tuple[Operator, ...]
    tensors: Mapping[str, Tensor]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    scale_bytes: int
    wrapped: bool


def read_network(model: "onnx.ModelProto", precision: Precision | None) -> Network:
    """Read the operators of a graph.

    Args:
        model: A network, or a model with its preprocessing, of which only the network is read.
        precision: How wide activations are; None as the graph has them.

    Raises:
        ModelError: the graph does not tell how large an activation is, or has operators on integers.
    """
    wrapped = any(value.name == IMAGE for value in model.graph.input)
    if wrapped:
        from vernier.deploy.export.wrap import unwrap_network

        model = unwrap_network(model)
    _refuse_integer_operators(model.graph)
    graph, shapes = model.graph, read_shapes(model)
    constants = read_constants(graph)
    integers = pairs_as_they_are(graph, constants) if precision is None else pairs_ignored(graph, constants)
    operators = _fused(tuple(_operators(graph, constants, integers)))
    inputs = tuple(value.name for value in graph.input if value.name not in constants)
    outputs = tuple(integers.stored.get(value.name, value.name) for value in graph.output)
    used = {name for operator in operators for name in (*operator.inputs, *operator.outputs)}
    tensors = {name: _tensor(name, shapes, integers, precision) for name in sorted(used.union(inputs, outputs))}
    return Network(operators, tensors, inputs, outputs, scale_bytes(graph, constants), wrapped)


def _refuse_integer_operators(graph: "onnx.GraphProto") -> None:
    for node in graph.node:
        if node.op_type.startswith("QLinear") or node.op_type.endswith("Integer"):
            raise ModelError(
                f"{node.name or node.output[0]}: {node.op_type} is not counted; of quantized graphs only those with "
                "QuantizeLinear and DequantizeLinear around float operators (QDQ) are; `vernier quantize` writes such"
            )


def _operators(graph: "onnx.GraphProto", constants: Mapping[str, Constant], integers: Integers) -> Iterator[Operator]:
    from onnx.helper import get_attribute_value

    for number, node in enumerate(graph.node):
        first = node.output[0]
        if first in constants or first in integers.silent:
            continue
        yield Operator(
            name=node.name or f"{node.op_type}_{number}",
            kind=node.op_type,
            inputs=tuple(name for name in integers.inputs[first] if name and name not in constants),
            outputs=tuple(name for name in node.output if name),
            constants={place: constants[name] for place, name in enumerate(node.input) if name in constants},
            attributes={attribute.name: get_attribute_value(attribute) for attribute in node.attribute},
        )


def _fused(operators: Sequence[Operator]) -> tuple[Operator, ...]:
    """Activation functions become part of the operator before them where nobody else reads its output."""
    reads = [name for operator in operators for name in operator.inputs]
    found: dict[str, Operator] = {}
    for operator in operators:
        source = operator.inputs[0] if operator.kind in _ACTIVATIONS else ""
        before = found.get(source)
        if before is not None and before.kind in _TAKE_ACTIVATIONS and reads.count(source) == 1:
            del found[source]
            operator = _joined(before, operator)
        found[operator.outputs[0]] = operator
    return tuple(found.values())


def _joined(before: Operator, activation: Operator) -> Operator:
    behind = max(before.constants, default=len(before.inputs)) + 1
    constants = {**before.constants, **{behind + place: value for place, value in activation.constants.items()}}
    return replace(before, kind=f"{before.kind}+{activation.kind}", outputs=activation.outputs, constants=constants)


def _tensor(name: str, shapes: Mapping[str, Shaped], integers: Integers, precision: Precision | None) -> Tensor:
    if name not in shapes:
        raise ModelError(
            f"the graph does not tell the shape of {name!r}, so its memory can't be counted; "
            "export the model with a fixed image size; operators that ONNX does not know can't be counted"
        )
    shape, width = shapes[name]
    if precision is not None:
        width = WIDTHS[precision]
    elif name in integers.narrow:
        width = WIDTHS["int8"]
    return Tensor(shape, prod(shape) * width)
