"""A graph as torch writes it made one to read: nodes named after their layers, nothing of the machine it came from."""

import ast
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from vernier.deploy.export.trace import own_name
from vernier.deploy.onnx_info import IMAGE, INPUT, LOGITS, PROBABILITIES

if TYPE_CHECKING:
    import onnx

_SCOPES = "pkg.torch.onnx.name_scopes"
_PARTS = ("weight", "bias")
_WITH_WEIGHTS = ("Conv", "ConvTranspose", "Gemm", "MatMul")


def clean_graph(model: "onnx.ModelProto", layers: Iterable[str]) -> None:
    """Name nodes and tensors, drop metadata, shapes and constants that nothing reads; in place.

    The first node of a layer has the layer's name, `features.3.conv`, the others have their operator's behind it, as
    nodes between layers have, `features.3.add`. A node's output has the node's name, its constants begin with it.

    Args:
        model: With torch's metadata.
        layers: Names of the modules that hold no others.
    """
    names = _node_names(model.graph, frozenset(map(own_name, layers)) - {""})
    renamed = {INPUT: INPUT, **{output.name: output.name for output in model.graph.output}}
    constants = {tensor.name for tensor in model.graph.initializer}
    for node, name in zip(model.graph.node, names, strict=True):
        for place, given in enumerate(node.input):
            if given in constants and given not in renamed:
                renamed[given] = f"{name}.{_part(node, place)}"
        for place, given in enumerate(node.output):
            renamed.setdefault(given, name if place == 0 else f"{name}.{place}")
    for node, name in zip(model.graph.node, names, strict=True):
        node.name = name
        node.input[:] = [renamed[given] if given else "" for given in node.input]
        node.output[:] = [renamed[given] if given else "" for given in node.output]
    _rename_constants(model.graph, renamed)
    _strip(model)


def _node_names(graph: "onnx.GraphProto", layers: frozenset[str]) -> list[str]:
    taken = Counter((INPUT, LOGITS, IMAGE, PROBABILITIES, *(output.name for output in graph.output)))
    names = []
    for node in graph.node:
        scope = _scope(node)
        name = scope if scope in layers and scope not in taken else f"{scope}.{node.op_type.lower()}".lstrip(".")
        taken[name] += 1
        names.append(name if taken[name] == 1 else f"{name}_{taken[name]}")
    return names


def _scope(node: "onnx.NodeProto") -> str:
    """The name of the innermost module around a node; empty for none."""
    texts = [item.value for item in node.metadata_props if item.key == _SCOPES]
    scopes = ast.literal_eval(texts[0])[:-1] if texts else []
    return own_name(scopes[-1]) if scopes and not scopes[-1].startswith("_empty_nn") else ""


def _part(node: "onnx.NodeProto", place: int) -> str:
    """What an input of a node is."""
    return _PARTS[place - 1] if node.op_type in _WITH_WEIGHTS and 0 < place < 3 else f"constant_{place}"


def _rename_constants(graph: "onnx.GraphProto", renamed: dict[str, str]) -> None:
    """Those that are read, in the order of their first reading."""
    order = {name: place for place, name in enumerate(renamed)}
    kept = sorted((tensor for tensor in graph.initializer if tensor.name in renamed), key=lambda t: order[t.name])
    tensors = [type(tensor).FromString(tensor.SerializeToString()) for tensor in kept]
    for tensor in tensors:
        tensor.name = renamed[tensor.name]
        del tensor.metadata_props[:]
        tensor.ClearField("doc_string")
    del graph.initializer[:]
    graph.initializer.extend(tensors)


def _strip(model: "onnx.ModelProto") -> None:
    graph = model.graph
    for item in (model, graph, *graph.node, *graph.input, *graph.output):
        del item.metadata_props[:]
        item.ClearField("doc_string")
    del graph.value_info[:]
