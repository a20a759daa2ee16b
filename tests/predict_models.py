"""ONNX files that classify by the mean colour of an image, made without torch."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from vernier.augment.preprocess import Preprocessing, compile_preprocessing
from vernier.config.augment import Normalize, Resize
from vernier.deploy.export.wrap import wrap_network
from vernier.deploy.onnx_info import OnnxInfo

CLASSES = ("red", "green", "blue, or so")
WEIGHTS = np.diag([4.0, 3.0, 2.0]).astype(np.float32)
BIAS = np.array([0.1, 0.0, -0.2], np.float32)


def preprocessing() -> Preprocessing:
    operations = [Resize(size=16), Normalize(mean=0.5, std=0.5)]
    return compile_preprocessing(operations, channels=3, fill=0, interpolation="bilinear")


def mean_colour_network(outputs: int = 3) -> onnx.ModelProto:
    """From `input` to `logits`: the first outputs of weights times the mean of each channel, plus bias."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["input"], ["means"]),
        helper.make_node("Flatten", ["means"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weights", "bias"], ["logits"]),
    ]
    given = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 3, 16, 16])
    made = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", outputs])
    constants = [
        numpy_helper.from_array(np.ascontiguousarray(WEIGHTS[:, :outputs]), "weights"),
        numpy_helper.from_array(BIAS[:outputs], "bias"),
    ]
    graph = helper.make_graph(nodes, "mean_colour", [given], [made], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def write_model(path: Path, kind: str = "image", task: str = "multiclass", *, image_size=None, **values) -> Path:
    """An ONNX file with Vernier's metadata; `values` are fields of `OnnxInfo`."""
    names = CLASSES[:2] if task == "binary" else CLASSES
    fields = {"threshold": 0.5, "temperature": None, "reject_threshold": None, "layout": "nhwc", **values}
    info = OnnxInfo(kind, names, task, preprocessing().to_json(), model="mean_colour", source_sha256="0" * 64, **fields)
    network = mean_colour_network(1 if task == "binary" else 3)
    onnx.save(wrap_network(network, info, image_size=image_size, batch_size=None), path)
    return path
