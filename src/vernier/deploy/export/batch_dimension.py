"""A graph traced with one batch size made one for any."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, final

import numpy as np

from vernier.deploy.onnx_info import INPUT

if TYPE_CHECKING:
    import onnx

TRACED = 211
"""A prime that sizes of networks hardly hold: multiples of it in a graph come from the batch."""
_COUNT = "batch_size"
"""The tensor, and the beginning of the names of all that computes shapes with it."""


def open_batch(model: "onnx.ModelProto") -> bool:
    """Make a graph traced with `TRACED` images take any number, in place; False, unchanged, where that can't be proved.

    Constants that hold a multiple of TRACED are of three kinds; any other one is a reason to refuse:
        the shape of a Reshape with one multiple takes -1 there, which is the same for any batch, because its input
        holds the batch once, so the other sizes don't depend on it;
        the shape of an Expand to the batch takes the number of images from the input;
        TRACED equal rows are expanded from one row to the number of images in the input.
    """
    from onnx import numpy_helper

    graph = model.graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    suspects = {name: values for name, values in constants.items() if _holds_batch(values)}
    shapes = _shapes(graph)
    opened = _Opened()
    if any(map(_has_batch_attribute, graph.node)):
        return False
    for name, values in suspects.items():
        readers = [node for node in graph.node if name in node.input]
        if _is_rows(values):
            opened.expand_row(name, values)
        elif all(_is_expand(node, values) for node in readers):
            opened.count_images(name, values)
        elif all(_is_reshape(node, values, shapes) for node in readers):
            opened.leave_open(name, values)
        else:
            return False
    opened.put_into(graph, suspects)
    return True


@final
@dataclass(frozen=True)
class _Opened:
    """Constants and nodes that stand in for constants of a traced batch."""

    constants: dict[str, np.ndarray] = field(default_factory=dict)
    nodes: list["onnx.NodeProto"] = field(default_factory=list)

    def leave_open(self, name: str, shape: np.ndarray) -> None:
        """Put -1 for the batch in a shape."""
        self.constants[name] = np.array([-1 if _is_multiple(size) else size for size in shape.tolist()], np.int64)

    def count_images(self, name: str, shape: np.ndarray) -> None:
        """Compute a shape whose first size is the batch."""
        if len(shape) == 1:
            self._node("Identity", [self._count()], name)
        else:
            self.constants[f"{name}.rest"] = shape[1:]
            self._node("Concat", [self._count(), f"{name}.rest"], name, axis=0)

    def expand_row(self, name: str, rows: np.ndarray) -> None:
        """Compute equal rows, as many as there are images."""
        self.constants[f"{name}.row"] = rows[:1]
        self.count_images(f"{name}.shape", np.array(rows.shape, np.int64))
        self._node("Expand", [f"{name}.row", f"{name}.shape"], name)

    def put_into(self, graph: "onnx.GraphProto", replaced: Collection[str]) -> None:
        """Put all into a graph, in the place of some of its constants."""
        from onnx import numpy_helper

        tensors = [tensor for tensor in graph.initializer if tensor.name not in replaced]
        tensors += [numpy_helper.from_array(values, name) for name, values in self.constants.items()]
        nodes = [*self.nodes, *graph.node]
        for items, new in ((graph.initializer, tensors), (graph.node, nodes)):
            del items[:]
            items.extend(new)

    def _count(self) -> str:
        """The number of images, int64 (1,), from the input."""
        if not self.nodes:
            self.constants[f"{_COUNT}.first"] = np.array([0])
            self._node("Shape", [INPUT], f"{_COUNT}.sizes")
            self._node("Gather", [f"{_COUNT}.sizes", f"{_COUNT}.first"], _COUNT)
        return _COUNT

    def _node(self, operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> None:
        from onnx import helper

        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))


def _is_multiple(size: float) -> bool:
    return size != 0 and size % TRACED == 0


def _holds_batch(values: np.ndarray) -> bool:
    counts = values.dtype.kind == "i" or values.size == 1
    return any(map(_is_multiple, values.shape)) or (counts and any(map(_is_multiple, values.ravel().tolist())))


def _shapes(graph: "onnx.GraphProto") -> dict[str, list[int]]:
    described = (*graph.value_info, *graph.input, *graph.output)
    return {value.name: [size.dim_value for size in value.type.tensor_type.shape.dim] for value in described}


def _has_batch_attribute(node: "onnx.NodeProto") -> bool:
    """Whether a number among the attributes is a multiple, or there are graphs and tensors that might hold one."""
    values = (number for item in node.attribute for number in (item.i, *item.ints))
    return any(map(_is_multiple, values)) or any(
        item.HasField("g") or item.HasField("t") or item.graphs for item in node.attribute
    )


def _is_rows(values: np.ndarray) -> bool:
    """Whether these are TRACED equal rows that hold no multiple otherwise."""
    return (
        values.ndim > 1 and len(values) == TRACED and not _holds_batch(values[0]) and bool((values == values[0]).all())
    )


def _is_expand(node: "onnx.NodeProto", shape: np.ndarray) -> bool:
    return node.op_type == "Expand" and _multiples(shape) == [TRACED] and shape[0] == TRACED


def _is_reshape(node: "onnx.NodeProto", shape: np.ndarray, shapes: Mapping[str, Sequence[int]]) -> bool:
    """Whether a Reshape's shape holds the batch once, as its input does, and no size that is left open."""
    given = _multiples(np.array(shapes.get(node.input[0], ())))
    taken = _multiples(shape)
    once = len(given) == len(taken) == 1 and not any(_is_multiple(size // TRACED) for size in (*given, *taken))
    return node.op_type == "Reshape" and once and -1 not in shape


def _multiples(sizes: np.ndarray) -> list[int]:
    return [size for size in sizes.ravel().tolist() if _is_multiple(size)]
