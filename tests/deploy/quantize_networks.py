"""Small float networks as ONNX graphs."""

import numpy as np
import onnx


def tensor(name: str, values: np.ndarray) -> onnx.TensorProto:
    return onnx.numpy_helper.from_array(np.asarray(values), name)


def model(nodes: list, constants: dict, *, outputs: int = 3, size: int = 8, opset: int = 18) -> onnx.ModelProto:
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        nodes,
        "network",
        [info("input", onnx.TensorProto.FLOAT, ["N", 3, size, size])],
        [info("logits", onnx.TensorProto.FLOAT, ["N", outputs])],
        [tensor(name, values) for name, values in constants.items()],
    )
    made = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=10)
    onnx.checker.check_model(made)
    return made


def node(operator: str, name: str, inputs: list[str], output: str | None = None, **attributes) -> onnx.NodeProto:
    made = onnx.helper.make_node(operator, inputs, [output or name], name, **attributes)
    onnx.helper.set_metadata_props(made, {"stack_trace": "/home/somebody/model.py"})
    return made


def random_constants(shapes: dict[str, tuple[int, ...]], seed: int = 0) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    return {
        name: (generator.standard_normal(shape) * (0.3 if name.endswith("weight") else 0.1)).astype(np.float32)
        for name, shape in shapes.items()
    }


def plain(seed: int = 0) -> onnx.ModelProto:
    """A convolution, ReLU, and a matrix product: nothing but what a few lines of NumPy compute."""
    shapes = {"stem.weight": (4, 3, 3, 3), "stem.bias": (4,), "head.weight": (3, 4 * 36), "head.bias": (3,)}
    nodes = [
        node("Conv", "stem", ["input", "stem.weight", "stem.bias"], kernel_shape=[3, 3]),
        node("Relu", "relu", ["stem"]),
        node("Flatten", "flat", ["relu"]),
        node("Gemm", "head", ["flat", "head.weight", "head.bias"], "logits", transB=1),
    ]
    return model(nodes, random_constants(shapes, seed))


def residual(middle: str = "Relu") -> onnx.ModelProto:
    """An inverted residual block with clips at 6, a mean over height and width, and a classifier."""
    shapes = {
        "stem.weight": (8, 3, 3, 3),
        "stem.bias": (8,),
        "expand.weight": (16, 8, 1, 1),
        "expand.bias": (16,),
        "depthwise.weight": (16, 1, 3, 3),
        "depthwise.bias": (16,),
        "project.weight": (8, 16, 1, 1),
        "project.bias": (8,),
        "head.weight": (3, 8),
        "head.bias": (3,),
    }
    constants = random_constants(shapes) | {"low": np.float32(0), "high": np.float32(6), "axes": np.array([2, 3])}
    nodes = [
        node("Conv", "stem", ["input", "stem.weight", "stem.bias"], pads=[1, 1, 1, 1]),
        node("Clip", "stem.clip", ["stem", "low", "high"]),
        node("Conv", "expand", ["stem.clip", "expand.weight", "expand.bias"]),
        node(middle, "expand.act", ["expand"]),
        node("Conv", "depthwise", ["expand.act", "depthwise.weight", "depthwise.bias"], group=16, pads=[1, 1, 1, 1]),
        node("Clip", "depthwise.clip", ["depthwise", "low", "high"]),
        node("Conv", "project", ["depthwise.clip", "project.weight", "project.bias"]),
        node("Add", "add", ["project", "stem.clip"]),
        node("ReduceMean", "pool", ["add", "axes"], keepdims=0),
        node("Gemm", "head", ["pool", "head.weight", "head.bias"], "logits", transB=1),
    ]
    return model(nodes, constants)
