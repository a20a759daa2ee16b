"""What layers of an ONNX graph are called."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

_WEIGHT = ".weight"


def layer_names(model: "onnx.ModelProto") -> dict[str, str]:
    """The layer that each node belongs to, by the node's name.

    A node with a weight is named like the module that the weight is of: `blocks.0.0.conv_dw`. Another one goes by
    its own name.
    """
    initializers = {tensor.name for tensor in model.graph.initializer}
    return {node.name: _layer_name(node, initializers) for node in model.graph.node}


def _layer_name(node: "onnx.NodeProto", initializers: set[str]) -> str:
    weights = (name for name in node.input if name in initializers and name.endswith(_WEIGHT))
    return next(weights, node.name).removesuffix(_WEIGHT)
