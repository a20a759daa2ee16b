"""A network as a file that takes images: preprocessing in front, probabilities behind, and what it is as metadata."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from vernier.augment.preprocess import Size
from vernier.deploy.export.graph_builder import GraphBuilder
from vernier.deploy.export.output_graph import add_probabilities
from vernier.deploy.export.preprocess_graph import add_preprocessing
from vernier.deploy.onnx_info import IMAGE, INPUT, LOGITS, PROBABILITIES, OnnxInfo
from vernier.errors import ModelError

if TYPE_CHECKING:
    import onnx

_BEFORE = "preprocess/"
_AFTER = "output/"
_OLDEST_OPSET = 13
_BATCH = "N"
"""The name of an open batch size."""
_PRODUCER = "vernier"


def wrap_network(
    network: "onnx.ModelProto", info: OnnxInfo, *, image_size: Size | None, batch_size: int | None
) -> "onnx.ModelProto":
    """The network with its metadata and, for kind image, everything from the image to the probabilities.

    The network's own nodes, tensors and opset stay as they are. Outputs other than the logits stay outputs.

    Args:
        network: From `input` to `logits`; its float or quantized nodes are nobody's business here. Left as it is.
        info: What it is. Kind network gets metadata only.
        image_size: Height and width of the images; None for any.
        batch_size: Images at once, all of one size; None for any number.

    Raises:
        ModelError: The network can't be wrapped: too old an opset, another batch size, or names that are used here.
    """
    model = _copy(network)
    if info.kind == "image":
        _check(model)
        _put_in_front(model.graph, info, image_size, _batch(model.graph, batch_size))
        _put_behind(model.graph, info)
    _describe(model, info)
    return model


def unwrap_network(model: "onnx.ModelProto") -> "onnx.ModelProto":
    """The network inside a wrapped model, from `input` to `logits`, with the metadata as they are.

    A model that is a network already comes back as an equal copy.
    """
    network = _copy(model)
    graph = network.graph
    if not any(node.name.startswith((_BEFORE, _AFTER)) for node in graph.node):
        return network
    for field in (graph.node, graph.initializer):
        kept = [item for item in field if not item.name.startswith((_BEFORE, _AFTER))]
        del field[:]
        field.extend(kept)
    inner = next(value for value in graph.value_info if value.name == INPUT)
    next(value for value in graph.input if value.name == IMAGE).CopyFrom(inner)
    graph.value_info.remove(inner)
    outputs = [output for output in graph.output if output.name != PROBABILITIES]
    del graph.output[:]
    graph.output.extend(outputs)
    return network


def read_info(model: "onnx.ModelProto", path: object) -> OnnxInfo | None:
    """What a model says of itself; None where another program made it.

    Args:
        model: Any ONNX model.
        path: Its file, for messages.

    Raises:
        ModelError: The metadata is of a newer Vernier, or damaged.
    """
    return OnnxInfo.from_metadata(str(path), {entry.key: entry.value for entry in model.metadata_props})


def _copy(model: "onnx.ModelProto") -> "onnx.ModelProto":
    copied = type(model)()
    copied.CopyFrom(model)
    return copied


def _check(model: "onnx.ModelProto") -> None:
    opset = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 0)
    if opset < _OLDEST_OPSET:
        raise ModelError(
            f"the network is of ONNX opset {opset}, and preprocessing needs {_OLDEST_OPSET} or newer; "
            "export it with a newer one (export.opset=18)"
        )
    taken = next((name for name in _names(model.graph) if name.startswith((_BEFORE, _AFTER))), None)
    if taken is not None:
        raise ModelError(f"the network has a part called {taken}, a name that preprocessing takes; rename it")


def _names(graph: "onnx.GraphProto") -> Iterator[str]:
    """Of nodes and of tensors."""
    for node in graph.node:
        yield node.name
        yield from node.output
    for tensor in graph.initializer:
        yield tensor.name


def _batch(graph: "onnx.GraphProto", batch_size: int | None) -> int | str:
    """The number of images, or its name."""
    own = next(value for value in graph.input if value.name == INPUT).type.tensor_type.shape.dim[0]
    if own.dim_value and own.dim_value != batch_size:
        wanted = "any number" if batch_size is None else batch_size
        raise ModelError(f"the network takes {own.dim_value} images at once, not {wanted}; export it for {wanted}")
    return (own.dim_param or _BATCH) if batch_size is None else batch_size


def _put_in_front(graph: "onnx.GraphProto", info: OnnxInfo, image_size: Size | None, batch: int | str) -> None:
    """The network's input becomes a tensor inside, computed from an image."""
    preprocessing = info.make_preprocessing()
    builder = GraphBuilder(_BEFORE)
    image = builder.value(IMAGE, np.uint8)
    add_preprocessing(builder, image, preprocessing, layout=info.layout, image_size=image_size, output=INPUT)
    nodes = [*builder.nodes, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    graph.initializer.extend(builder.initializers)
    place = next(index for index, value in enumerate(graph.input) if value.name == INPUT)
    graph.value_info.append(graph.input[place])
    graph.input[place].CopyFrom(_image_input(info, preprocessing.channels, image_size, batch))


def _image_input(info: OnnxInfo, channels: int, image_size: Size | None, batch: int | str) -> "onnx.ValueInfoProto":
    from onnx import TensorProto, helper

    height, width = ("height", "width") if image_size is None else image_size
    nhwc = info.layout == "nhwc"
    shape = [batch, height, width, channels] if nhwc else [batch, channels, height, width]
    axes = "(N, height, width, channels)" if nhwc else "(N, channels, height, width)"
    sizes = "any size, the same for all images of a batch" if image_size is None else f"{height} x {width} pixels"
    colours = {1: "grey", 3: "RGB"}.get(channels, f"{channels} channels")
    text = f"Images {axes}, uint8 from 0 to 255, {colours}, {sizes}. The model resizes and normalises them itself."
    return helper.make_tensor_value_info(IMAGE, TensorProto.UINT8, shape, text)


def _put_behind(graph: "onnx.GraphProto", info: OnnxInfo) -> None:
    """Probabilities become the first output, logits the second."""
    from onnx import TensorProto, helper

    builder = GraphBuilder(_AFTER)
    logits = builder.value(LOGITS, np.float32)
    add_probabilities(builder, logits, info.task, info.temperature, output=PROBABILITIES)
    graph.node.extend(builder.nodes)
    graph.initializer.extend(builder.initializers)
    inner = next(output for output in graph.output if output.name == LOGITS)
    others = [output for output in graph.output if output.name != LOGITS]
    count = inner.type.tensor_type.shape.dim[0]
    shape = [count.dim_param or count.dim_value, len(info.class_names)]
    text = "Probabilities (N, classes), in the order of class_names in the metadata."
    answers = helper.make_tensor_value_info(PROBABILITIES, TensorProto.FLOAT, shape, text)
    outputs = [answers, inner, *others]
    del graph.output[:]
    graph.output.extend(outputs)


def _describe(model: "onnx.ModelProto", info: OnnxInfo) -> None:
    """Set the metadata; what other programs wrote there stays."""
    texts = {**{entry.key: entry.value for entry in model.metadata_props}, **info.to_metadata()}
    del model.metadata_props[:]
    for key, value in texts.items():
        model.metadata_props.add(key=key, value=value)
    model.producer_name = _PRODUCER
