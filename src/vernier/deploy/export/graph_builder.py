"""Writing parts of an ONNX graph as formulas."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import DTypeLike

if TYPE_CHECKING:
    import onnx


@final
class GraphBuilder:
    """Collects nodes and constants; their names start with `prefix`, so they are apart from all others.

    Attributes:
        nodes: in the order in which they were added.
        initializers: the constants, each once.
    """

    def __init__(self, prefix: str) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self._prefix = prefix
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    def value(self, name: str, dtype: DTypeLike) -> "Value":
        """A tensor from outside."""
        return Value(self, name, np.dtype(dtype))

    def constant(self, array: np.ndarray) -> "Value":
        """An initializer."""
        key = (str(array.dtype), array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = f"{self._prefix}constant_{len(self._constants)}"
            self.initializers.append(_tensor(array, self._constants[key]))
        return self.value(self._constants[key], array.dtype)

    def apply(
        self, operator: str, inputs: Sequence["Value"], dtype: DTypeLike, *, name: str | None = None, **attributes: Any
    ) -> "Value":
        """Add a node of one output.

        Args:
            operator: of ONNX itself.
            inputs: its inputs.
            dtype: of its output.
            name: of its output; by default one of the builder's own.
            attributes: of the node.
        """
        from onnx import helper

        node_name = f"{self._prefix}{operator}_{len(self.nodes)}"
        output = node_name if name is None else name
        names = [value.name for value in inputs]
        self.nodes.append(helper.make_node(operator, names, [output], node_name, **attributes))
        return self.value(output, dtype)

    def drop_unused(self, *outputs: str) -> None:
        """Take out nodes and constants that none of the outputs needs."""
        needed, kept = set(outputs), []
        for node in reversed(self.nodes):
            if node.output[0] in needed:
                needed.update(node.input)
                kept.append(node)
        self.nodes[:] = reversed(kept)
        self.initializers[:] = [tensor for tensor in self.initializers if tensor.name in needed]

    def whole(self, length: "int | Value") -> "Value":
        """An int64 scalar."""
        return length if isinstance(length, Value) else self.constant(np.array(length, np.int64))

    def count(self, length: "int | Value") -> "Value":
        """0, 1, ... up to `length`: int64 (length,)."""
        if isinstance(length, int):
            return self.constant(np.arange(length))
        return self.apply("Range", [self.whole(0), length, self.whole(1)], np.int64)

    def vector(self, numbers: Sequence["int | Value"]) -> "Value":
        """int64 (len(numbers),)."""
        known = [number for number in numbers if isinstance(number, int)]
        if len(known) == len(numbers):
            return self.constant(np.array(known, np.int64))
        return self.apply("Concat", [self.whole(number).reshape([1]) for number in numbers], np.int64, axis=0)


@final
@dataclass(frozen=True, eq=False)
class Value:
    """A tensor of the graph; arithmetic with it adds nodes. Numbers take its type.

    Attributes:
        builder: what nodes are added to.
        name: of the tensor.
        dtype: of its elements.
    """

    builder: GraphBuilder
    name: str
    dtype: np.dtype[Any]

    def __add__(self, other: "float | Value") -> "Value":
        return self._binary("Add", other)

    def __sub__(self, other: "float | Value") -> "Value":
        return self._binary("Sub", other)

    def __radd__(self, other: float) -> "Value":
        return self + other

    def __rmul__(self, other: float) -> "Value":
        return self * other

    def __rsub__(self, other: float) -> "Value":
        return self._number(other) - self

    def __mul__(self, other: "float | Value") -> "Value":
        return self._binary("Mul", other)

    def __truediv__(self, other: "float | Value") -> "Value":
        return self._binary("Div", other)

    def __rtruediv__(self, other: float) -> "Value":
        return self._number(other) / self

    def __floordiv__(self, other: "int | Value") -> "Value":
        """Of integers that are not negative."""
        return self._binary("Div", other)

    def __rfloordiv__(self, other: int) -> "Value":
        return self._number(other) // self

    def __le__(self, other: "float | Value") -> "Value":
        return self._compare("LessOrEqual", other)

    def __ge__(self, other: "float | Value") -> "Value":
        return self._compare("GreaterOrEqual", other)

    def __lt__(self, other: "float | Value") -> "Value":
        return self._compare("Less", other)

    def equals(self, other: "float | Value") -> "Value":
        """bool, element by element."""
        return self._compare("Equal", other)

    def both(self, other: "Value") -> "Value":
        """The logical and."""
        return self._binary("And", other)

    def minimum(self, other: "float | Value") -> "Value":
        """The lesser, element by element."""
        return self._binary("Min", other)

    def maximum(self, other: "float | Value") -> "Value":
        """The greater, element by element."""
        return self._binary("Max", other)

    def unary(self, operator: str) -> "Value":
        """An operator of one input that keeps the type: Floor, Round, Abs, Exp, Sin, Neg."""
        return self.builder.apply(operator, [self], self.dtype)

    def cast(self, dtype: DTypeLike) -> "Value":
        """The same numbers as another type."""
        from onnx import helper

        if self.dtype == np.dtype(dtype):
            return self
        return self.builder.apply("Cast", [self], dtype, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def reshape(self, shape: Sequence["int | Value"]) -> "Value":
        """0 keeps a dimension, -1 is what is left."""
        return self.builder.apply("Reshape", [self, self.builder.vector(shape)], self.dtype)

    def transpose(self, *axes: int) -> "Value":
        """The axes in another order."""
        return self.builder.apply("Transpose", [self], self.dtype, perm=axes)

    def part(self, start: "int | Value", stop: "int | Value", axis: int) -> "Value":
        """From `start` to `stop` of an axis."""
        ends = [self.builder.vector([number]) for number in (start, stop, axis)]
        return self.builder.apply("Slice", [self, *ends], self.dtype)

    def take(self, places: "int | Value", axis: int = 0) -> "Value":
        """Elements by their places along an axis, in the shape of `places`."""
        return self.builder.apply("Gather", [self, self.builder.whole(places)], self.dtype, axis=axis)

    def total(self, axis: int) -> "Value":
        """The sum over an axis, which stays with length 1."""
        return self.builder.apply("ReduceSum", [self, self.builder.vector([axis])], self.dtype, keepdims=1)

    def times(self, other: "Value") -> "Value":
        """The matrix product."""
        return self.builder.apply("MatMul", [self, other], self.dtype)

    def where(self, condition: "Value", other: "float | Value") -> "Value":
        """The value where the condition holds, elsewhere the other."""
        return self.builder.apply("Where", [condition, self, self._number(other)], self.dtype)

    def _binary(self, operator: str, other: "float | Value") -> "Value":
        return self.builder.apply(operator, [self, self._number(other)], self.dtype)

    def _compare(self, operator: str, other: "float | Value") -> "Value":
        return self.builder.apply(operator, [self, self._number(other)], np.bool_)

    def _number(self, other: "float | Value") -> "Value":
        return other if isinstance(other, Value) else self.builder.constant(np.array(other, self.dtype))


def _tensor(array: np.ndarray, name: str) -> "onnx.TensorProto":
    from onnx import numpy_helper

    return numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)
