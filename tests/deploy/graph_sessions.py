"""Graphs of preprocessing alone, in onnxruntime."""

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

from vernier.augment.preprocess import Preprocessing
from vernier.config.export import Layout
from vernier.deploy.export.graph_builder import GraphBuilder
from vernier.deploy.export.preprocess_graph import add_preprocessing


def session_of(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """In one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def preprocessing_model(
    preprocessing: Preprocessing,
    *,
    layout: Layout = "nhwc",
    image_size: tuple[int, int] | None = None,
    opset: int = 18,
) -> onnx.ModelProto:
    """From `image` to `input`."""
    builder = GraphBuilder("preprocess/")
    image = builder.value("image", np.uint8)
    add_preprocessing(builder, image, preprocessing, layout=layout, image_size=image_size, output="input")
    size, channels = ("H", "W") if image_size is None else image_size, preprocessing.channels
    shape = ["N", *size, channels] if layout == "nhwc" else ["N", channels, *size]
    given = helper.make_tensor_value_info("image", TensorProto.UINT8, shape)
    made = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", channels, *preprocessing.input_size])
    graph = helper.make_graph(builder.nodes, "preprocessing", [given], [made], builder.initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


class GraphOf:
    """`Preprocessing` as a graph, called with an image as that is."""

    def __init__(self, preprocessing: Preprocessing, **settings) -> None:
        self.model = preprocessing_model(preprocessing, **settings)
        self._session = session_of(self.model)
        self._layout = settings.get("layout", "nhwc")

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """uint8 (H, W, C) to float32 (C, height, width)."""
        return self.batch(image[None])[0]

    def batch(self, images: np.ndarray) -> np.ndarray:
        """uint8 (N, H, W, C) to float32 (N, C, height, width)."""
        ordered = images if self._layout == "nhwc" else images.transpose(0, 3, 1, 2)
        return self._session.run(None, {"image": np.ascontiguousarray(ordered)})[0]
