"""Biases that make up for the mean error of rounding."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from vernier.deploy.quantize.bias_correction import correct_biases


def network(opset: int = 18) -> ModelProto:
    """conv -> ReLU -> depthwise conv -> mean -> Gemm, whose weights all lie in the upper half of a step."""
    generator = np.random.default_rng(0)
    shapes = {"w1": (8, 3, 3, 3), "b1": (8,), "w2": (8, 1, 3, 3), "b2": (8,), "w3": (4, 8), "b3": (4,)}
    arrays = {name: generator.normal(0, 0.3, shape).astype(np.float32) for name, shape in shapes.items()}
    # One large weight makes the steps coarse.
    arrays["w1"][0, 0, 0, 0] = 12
    nodes = [
        helper.make_node("Conv", ["input", "w1", "b1"], ["c1"], "conv1", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"], "relu1"),
        helper.make_node("Conv", ["r1", "w2", "b2"], ["c2"], "conv2", group=8),
        helper.make_node("GlobalAveragePool", ["c2"], ["pooled"], "pool"),
        helper.make_node("Flatten", ["pooled"], ["flat"], "flatten"),
        helper.make_node("Gemm", ["flat", "w3", "b3"], ["logits"], "gemm", transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 3, 8, 8])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 4])],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def batches() -> Iterator[np.ndarray]:
    generator = np.random.default_rng(1)
    for count in (16, 16, 7):
        yield generator.uniform(0, 1, (count, 3, 8, 8)).astype(np.float32)


class Reader(CalibrationDataReader):
    def __init__(self) -> None:
        self.batches = batches()

    def get_next(self) -> dict[str, np.ndarray] | None:
        batch = next(self.batches, None)
        return None if batch is None else {"input": batch}


def quantized(model: ModelProto, folder: Path, *, per_channel: bool) -> ModelProto:
    onnx.save(model, folder / "float.onnx")
    quantize_static(
        folder / "float.onnx",
        folder / "int8.onnx",
        Reader(),
        quant_format=QuantFormat.QDQ,
        per_channel=per_channel,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    return onnx.load(folder / "int8.onnx")


def channel_means(model: ModelProto) -> list[np.ndarray]:
    """Of each layer's outputs before any activation, over all batches."""
    layers = [node.output[0] for node in model.graph.node if node.op_type in ("Conv", "Gemm")]
    copy = ModelProto()
    copy.CopyFrom(model)
    del copy.graph.output[:]
    copy.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in layers)
    session = onnxruntime.InferenceSession(copy.SerializeToString())
    runs = [session.run(layers, {"input": batch}) for batch in batches()]
    whole = [np.concatenate(parts).astype(np.float64) for parts in zip(*runs, strict=True)]
    return [values.mean(axis=(0, *range(2, values.ndim))) for values in whole]


def mean_errors(model: ModelProto, other: ModelProto) -> list[float]:
    pairs = zip(channel_means(model), channel_means(other), strict=True)
    return [float(np.abs(one - another).max()) for one, another in pairs]


@pytest.mark.parametrize(("per_channel", "opset"), [(False, 18), (True, 18), (False, 13)])
def test_means_of_all_layers_agree_afterwards(tmp_path: Path, per_channel: bool, opset: int) -> None:
    model = network(opset)
    int8 = quantized(model, tmp_path, per_channel=per_channel)
    before = mean_errors(model, int8)
    after = mean_errors(model, correct_biases(model, int8, batches))
    assert before[0] > 0.01
    assert all(new < max(old / 5, 2e-3) for old, new in zip(before, after, strict=True)), (before, after)


def test_only_biases_change(tmp_path: Path) -> None:
    model = network()
    int8 = quantized(model, tmp_path, per_channel=False)
    kept = int8.SerializeToString()
    corrected = correct_biases(model, int8, batches)
    assert int8.SerializeToString() == kept
    old, new = ({tensor.name: tensor for tensor in one.graph.initializer} for one in (int8, corrected))
    changed = {name for name in old if old[name] != new[name]}
    assert changed == {"b1_quantized", "b2_quantized", "b3_quantized"}
    assert all(new[name].data_type == TensorProto.INT32 for name in changed)
    del int8.graph.initializer[:], corrected.graph.initializer[:]
    assert int8 == corrected


def test_a_float_model_has_nothing_to_correct() -> None:
    model = network()
    assert correct_biases(model, model, batches) == model
