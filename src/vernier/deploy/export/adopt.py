"""Networks of other programs made like our own: from `input` (N, C, height, width) to `logits` (N, outputs)."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from vernier.deploy.onnx_classifier import has_channels_last
from vernier.deploy.onnx_info import INPUT, LOGITS, OnnxInfo
from vernier.errors import ModelError

if TYPE_CHECKING:
    import onnx

_ENDS = ("Softmax", "Sigmoid")
_TO_LAST = (0, 2, 3, 1)


def adopt_network(model: "onnx.ModelProto", info: OnnxInfo) -> tuple["onnx.ModelProto", OnnxInfo]:
    """The network and what it is now, ready for `wrap_network` and for quantization.

    A softmax or sigmoid at the end is left out, as are outputs but the first; channels that come last get a Transpose.

    Args:
        model: Of another program; left as it is.
        info: From `describe_foreign`.

    Raises:
        ModelError: Its probabilities are made by something else than its last node.
    """
    network = type(model)()
    network.CopyFrom(model)
    graph = network.graph
    if info.outputs == "probabilities":
        _cut_end(graph)
    initializers = {tensor.name for tensor in graph.initializer}
    given = next(value for value in graph.input if value.name not in initializers)
    shape = [_length(dimension) for dimension in given.type.tensor_type.shape.dim]
    preprocessing = info.make_preprocessing()
    last = has_channels_last(shape, preprocessing.channels)
    names = _free(graph, INPUT, LOGITS) | {graph.output[0].name: LOGITS} | ({} if last else {given.name: INPUT})
    _rename(graph, names)
    if last:
        _turn(graph, names.get(given.name, given.name))
    _state(graph, given, shape[0], (preprocessing.channels, *preprocessing.input_size), info.make_task().num_outputs)
    return network, replace(info, outputs="logits")


def _length(dimension: "onnx.TensorShapeProto.Dimension") -> int | str:
    return dimension.dim_value or dimension.dim_param or "N"


def _cut_end(graph: "onnx.GraphProto") -> None:
    end = next(node for node in graph.node if graph.output[0].name in node.output)
    if end.op_type not in _ENDS:
        raise ModelError(
            f"the network gives probabilities, and its last node {end.name or end.output[0]} is {end.op_type}; "
            f"only {' or '.join(_ENDS)} at its very end can be taken off. Write it without, with logits as its output"
        )
    graph.output[0].name = end.input[0]
    graph.node.remove(end)


def _free(graph: "onnx.GraphProto", *wanted: str) -> dict[str, str]:
    """Other names for tensors that are called so already."""
    used = {name for node in graph.node for name in (*node.input, *node.output)}
    return {name: f"{name}_of_network" for name in wanted if name in used}


def _rename(graph: "onnx.GraphProto", names: Mapping[str, str]) -> None:
    """Give tensors other names, in graphs inside nodes too."""
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _rename(attribute.g, names)
    tensors: Iterable[onnx.ValueInfoProto | onnx.TensorProto]
    tensors = (*graph.input, *graph.output, *graph.value_info, *graph.initializer)
    for tensor in tensors:
        tensor.name = names.get(tensor.name, tensor.name)


def _turn(graph: "onnx.GraphProto", name: str) -> None:
    """The network's own input becomes the input with its channels last."""
    from onnx import helper

    nodes = [helper.make_node("Transpose", [INPUT], [name], f"{name}.channels_last", perm=_TO_LAST), *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _state(
    graph: "onnx.GraphProto",
    given: "onnx.ValueInfoProto",
    batch: int | str,
    image: tuple[int, int, int],
    outputs: int,
) -> None:
    """Say what goes in and what comes out; `given` is the graph's input."""
    from onnx import TensorProto, helper

    given.CopyFrom(helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [batch, *image]))
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info(LOGITS, TensorProto.FLOAT, [batch, outputs]))
