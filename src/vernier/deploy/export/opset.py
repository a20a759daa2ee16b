"""A graph in the operators of an older opset than torch writes."""

from typing import TYPE_CHECKING

from vernier.errors import ModelError

if TYPE_CHECKING:
    import onnx

_REDUCTIONS = ("Max", "Mean", "Min", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare")
_DEFAULTS = {"allowzero": 0, "noop_with_empty_axes": 0}
"""Attributes that older operators lack, with the value that says what these do anyway."""


def to_opset(model: "onnx.ModelProto", opset: int) -> "onnx.ModelProto":
    """The model with all operators of an opset, checked, with the shapes of all tensors.

    Between 13 and 18 most operators only learned more types. Reductions took their axes as an attribute, Split took no
    number of outputs, and HardSwish came with 14. Whatever else came later can't be written.

    Args:
        model: In the operators of opset 18 or of `opset`; not to be used afterwards.
        opset: 13 or more.

    Raises:
        ModelError: an operator has no older form, or torch wrote those of another opset.
    """
    import onnx

    versions = {item.domain: item.version for item in model.opset_import}
    if opset < versions.get("", 0):
        _make_older(model, opset)
    elif versions != {"": opset} or model.functions:
        written = ", ".join(f"{name or 'ai.onnx'} {version}" for name, version in versions.items())
        raise _impossible(opset, f"torch wrote {written}")
    try:
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
        onnx.checker.check_model(inferred, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise _impossible(opset, str(error).strip().splitlines()[0]) from None
    return inferred


def _impossible(opset: int, reason: str) -> ModelError:
    return ModelError(
        f"export.opset={opset}: the network can't be written with these operators ({reason}); take export.opset=18"
    )


def _make_older(model: "onnx.ModelProto", opset: int) -> None:
    from onnx import helper

    nodes = [older for node in model.graph.node for older in _older_nodes(node, model.graph, opset)]
    read = {name for node in nodes for name in node.input}
    tensors = [tensor for tensor in model.graph.initializer if tensor.name in read]
    for items, new in ((model.graph.node, nodes), (model.graph.initializer, tensors)):
        del items[:]
        items.extend(new)
    model.opset_import[0].CopyFrom(helper.make_opsetid("", opset))


def _older_nodes(node: "onnx.NodeProto", graph: "onnx.GraphProto", opset: int) -> list["onnx.NodeProto"]:
    from onnx import helper

    constants = {tensor.name: tensor for tensor in graph.initializer}
    dropped = {item.name for item in node.attribute if _DEFAULTS.get(item.name) == item.i}
    if node.op_type == "Reshape" and node.input[1] in constants and 0 not in _integers(constants[node.input[1]]):
        dropped.add("allowzero")
    dropped |= {"num_outputs"} if node.op_type == "Split" else set()
    kept = [item for item in node.attribute if item.name not in dropped]
    del node.attribute[:]
    node.attribute.extend(kept)
    if node.op_type == "HardSwish" and opset < 14:
        return _hard_swish(node)
    if node.op_type.removeprefix("Reduce") in _REDUCTIONS and len(node.input) == 2:
        if node.input[1] not in constants:
            raise _impossible(opset, f"{node.op_type} {node.name} computes its axes")
        node.attribute.append(helper.make_attribute("axes", _integers(constants[node.input[1]])))
        del node.input[1]
    return [node]


def _integers(tensor: "onnx.TensorProto") -> list[int]:
    from onnx import numpy_helper

    return [int(value) for value in numpy_helper.to_array(tensor)]


def _hard_swish(node: "onnx.NodeProto") -> list["onnx.NodeProto"]:
    """x * clip(x / 6 + 1/2, 0, 1)."""
    from onnx import helper

    gate = f"{node.name}.hardsigmoid"
    return [
        helper.make_node("HardSigmoid", [node.input[0]], [gate], name=gate, alpha=1 / 6, beta=0.5),
        helper.make_node("Mul", [node.input[0], gate], [node.output[0]], name=node.name),
    ]
