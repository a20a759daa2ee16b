"""Static quantization: scales, arithmetic, what stays in float, integers outside."""

import collections
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from deploy.quantize_networks import model, node, plain, random_constants, residual  # noqa: E402
from vernier.config.quantize import QuantizeConfig  # noqa: E402
from vernier.deploy.onnx_classifier import load_onnx  # noqa: E402
from vernier.deploy.onnx_info import OnnxInfo  # noqa: E402
from vernier.deploy.quantize.static import quantize_network  # noqa: E402
from vernier.errors import ConfigError, ModelError  # noqa: E402

IMAGES = np.random.default_rng(5).uniform(-1, 1, (12, 3, 8, 8)).astype(np.float32)


def quantized(network, **settings):
    def batches():
        return iter([IMAGES[:5], IMAGES[5:]])

    return quantize_network(network, batches, QuantizeConfig(**settings))


def run(network, images: np.ndarray, file: Path | None = None) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    if file is not None:
        options.optimized_model_filepath = str(file)
    session = onnxruntime.InferenceSession(network.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(["logits"], {"input": images})[0]


def constants(network) -> dict[str, np.ndarray]:
    return {each.name: onnx.numpy_helper.to_array(each) for each in network.graph.initializer}


def operators(network) -> collections.Counter:
    return collections.Counter(each.op_type for each in network.graph.node)


def test_weights_have_a_scale_for_each_output_channel():
    network = residual()
    weights, made = constants(network), constants(quantized(network, reduce_range=False).model)
    for name in ("stem", "expand", "depthwise", "project", "head"):
        weight = weights[f"{name}.weight"]
        largest = np.abs(weight).reshape(len(weight), -1).max(axis=1)
        np.testing.assert_allclose(made[f"{name}.weight_scale"], largest / 127, rtol=1e-6)
        assert made[f"{name}.weight_quantized"].dtype == np.int8
        assert not made[f"{name}.weight_zero_point"].any()
        assert made[f"{name}.bias_quantized"].dtype == np.int32


def test_weights_have_one_scale_per_tensor():
    network = residual()
    made = constants(quantized(network, granularity="per_tensor", reduce_range=False).model)
    weight = constants(network)["expand.weight"]
    np.testing.assert_allclose(made["expand.weight_scale"], np.abs(weight).max() / 127, rtol=1e-6)


def test_seven_bits():
    made = quantized(residual(), reduce_range=True)
    assert np.abs(constants(made.model)["expand.weight_quantized"]).max() == 64
    assert made.quantization["reduce_range"]


def rounded(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """What is left of values in 256 levels between low and high, computed in float64."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / 255
    zero = round(-low / scale)
    return (np.clip(np.rint(values / scale) + zero, 0, 255) - zero) * scale


def by_channel(weight: np.ndarray) -> np.ndarray:
    scale = np.abs(weight).reshape(len(weight), -1).max(axis=1).reshape(-1, *[1] * (weight.ndim - 1)) / 127
    return np.rint(weight / scale) * scale


def hidden(images: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    windows = np.lib.stride_tricks.sliding_window_view(images, (3, 3), axis=(2, 3))
    return np.maximum(np.einsum("nchwij,ocij->nohw", windows, weight) + bias[:, None, None], 0)


@pytest.mark.parametrize("activations", ["uint8", "int8"])
def test_integers_are_those_of_numpy_to_one_step(activations):
    network = plain()
    values = {name: array.astype(np.float64) for name, array in constants(network).items()}
    stem, head = (values["stem.weight"], values["stem.bias"]), (values["head.weight"], values["head.bias"])
    inside = hidden(IMAGES.astype(np.float64), *stem)
    expected = inside.reshape(12, -1) @ head[0].T + head[1]
    span = expected.min(), expected.max()
    images = rounded(IMAGES.astype(np.float64), IMAGES.min(), IMAGES.max())
    inside = rounded(hidden(images, by_channel(stem[0]), stem[1]), 0, inside.max())
    logits = rounded(inside.reshape(12, -1) @ by_channel(head[0]).T + head[1], *span)
    made = quantized(network, reduce_range=False, activations=activations, output=activations)
    output = made.quantization["output"]
    found = run(made.model, IMAGES)
    assert found.dtype == activations
    steps = np.abs((found.astype(float) - output["zero_point"]) - logits / output["scale"])
    assert steps.max() <= 1.01
    assert np.unique(found).size > 10


def test_onnxruntime_computes_all_of_it_in_integers(tmp_path):
    made = quantized(residual())
    assert made.float_layers == ()
    run(made.model, IMAGES, tmp_path / "optimized.onnx")
    found = operators(onnx.load_model(tmp_path / "optimized.onnx"))
    assert found["QLinearConv"] == 4
    assert (found["QLinearAdd"], found["QLinearGlobalAveragePool"], found["QGemm"]) == (1, 1, 1)
    assert not found.keys() & {"Conv", "Gemm", "Add", "Relu", "Clip", "ReduceMean", "DequantizeLinear"}


@pytest.mark.parametrize("method", ["minmax", "moving_average", "entropy", "percentile"])
@pytest.mark.parametrize("granularity", ["per_channel", "per_tensor"])
def test_logits_stay_near_those_in_float(method, granularity):
    network = residual()
    made = quantized(network, method=method, granularity=granularity)
    expected = run(network, IMAGES)
    assert np.abs(run(made.model, IMAGES) - expected).max() < 0.1 * np.ptp(expected)
    assert made.quantization["method"] == method
    assert made.quantization["images"] == 12


def test_clips_bound_the_range():
    network = residual()
    for each in network.graph.initializer:
        if each.name == "stem.weight":
            each.CopyFrom(onnx.numpy_helper.from_array(constants(network)["stem.weight"] * 50, "stem.weight"))
    made = constants(quantized(network).model)
    np.testing.assert_allclose(made["stem.clip_scale"], 6 / 255, rtol=1e-6)
    assert made["stem.clip_zero_point"] == 0


def test_a_clip_without_zero_stays():
    network = residual()
    for each in network.graph.initializer:
        if each.name == "low":
            each.CopyFrom(onnx.numpy_helper.from_array(np.float32(1), "low"))
    made = quantized(network)
    assert made.float_layers == ("stem.clip (Clip)", "depthwise.clip (Clip)")
    assert np.abs(run(made.model, IMAGES) - run(network, IMAGES)).max() < 0.1


def test_equal_arguments_give_equal_bytes():
    network = residual()
    before = network.SerializeToString()
    first = quantized(network).model.SerializeToString()
    assert quantized(network).model.SerializeToString() == first
    assert network.SerializeToString() == before
    assert b"somebody" not in first


@pytest.mark.parametrize("activations", ["uint8", "int8"])
@pytest.mark.parametrize("outside", ["uint8", "int8"])
def test_integer_input_gives_equal_logits(tmp_path, activations, outside):
    network = residual()
    logits = {}
    for kind in ("float", outside):
        made = quantized(network, activations=activations, input=kind)
        onnx.helper.set_model_props(made.model, info(made.quantization).to_metadata())
        onnx.save_model(made.model, tmp_path / f"{kind}.onnx")
        classifier = load_onnx(tmp_path / f"{kind}.onnx")
        pixels = np.random.default_rng(1).integers(0, 256, (6, 8, 8, 3), np.uint8)
        logits[kind] = classifier.logits(pixels, range(6), batch_size=1, threads=0)
        assert (classifier.info.quantization["input"] is None) == (kind == "float")
    np.testing.assert_array_equal(logits["float"], logits[outside])


@pytest.mark.parametrize("activations", ["uint8", "int8"])
def test_integer_output_is_the_same_shifted(activations):
    network = residual()
    values = {}
    for kind in ("uint8", "int8"):
        made = quantized(network, activations=activations, output=kind)
        output = made.quantization["output"]
        found = run(made.model, IMAGES)
        assert found.dtype == kind == output["type"]
        values[kind] = (found.astype(np.float32) - output["zero_point"]) * np.float32(output["scale"])
    np.testing.assert_array_equal(values["uint8"], values["int8"])
    exact = run(quantized(network, activations=activations).model, IMAGES)
    bounds = (np.array([-128, 127]) - output["zero_point"]) * output["scale"]
    assert np.abs(np.clip(exact, *bounds) - values["uint8"]).max() <= 0.51 * output["scale"]


def info(quantization: dict) -> OnnxInfo:
    preprocessing = {
        "channels": 3,
        "geometry": [{"name": "Resize", "size": [8, 8], "mode": "fit"}],
        "interpolation": "bilinear",
        "fill": 0,
        "scale": [2 / 255] * 3,
        "offset": [-1.0] * 3,
    }
    names = ("a", "b", "c")
    return OnnxInfo("network", names, "multiclass", preprocessing, 0.5, None, None, "nhwc", "m", "0", quantization)


def test_first_layer_in_float():
    made = quantized(residual(), first_layer_float=True)
    assert made.float_layers == ("stem (Conv)", "stem.clip (Clip)")
    assert "stem.weight" in constants(made.model)


def test_layers_left_out_by_pattern():
    made = quantized(residual(), exclude=("depth.*", "head"))
    assert made.float_layers == ("depthwise (Conv)", "depthwise.clip (Clip)", "head (Gemm)")
    assert made.quantization["float_layers"] == list(made.float_layers)


def test_a_pattern_that_no_layer_has():
    with pytest.raises(ConfigError, match=r"quantize\.exclude: 'depthwize' .* near it are depthwise") as caught:
        quantized(residual(), exclude=("depthwize", "head"))
    assert len(caught.value.problems) == 1


def test_an_operation_without_integer_kernel_stays():
    made = quantized(residual("HardSwish"))
    assert made.float_layers == ("expand.act/gate (HardSigmoid)",)
    network = residual("HardSwish")
    assert np.abs(run(made.model, IMAGES) - run(network, IMAGES)).max() < 0.1


def test_sums_beside_layer_normalization_stay():
    weights = random_constants({"first.weight": (192, 192), "norm.weight": (192,), "head.weight": (3, 192)})
    nodes = [
        node("Flatten", "flat", ["input"]),
        node("Gemm", "first", ["flat", "first.weight"]),
        node("Sigmoid", "gate", ["first"]),
        node("Add", "add", ["gate", "flat"]),
        node("LayerNormalization", "norm", ["add", "norm.weight"]),
        node("Gemm", "head", ["norm", "head.weight"], "logits", transB=1),
    ]
    made = quantized(model(nodes, weights))
    assert made.float_layers == ("add (Add)", "norm (LayerNormalization)")


def test_a_quantized_network_is_refused():
    made = quantized(residual())
    with pytest.raises(ModelError, match="is quantized already: it holds DequantizeLinear"):
        quantized(made.model)


def test_a_network_without_weights_is_refused():
    axes = {"axes": np.array([2, 3])}
    network = model([node("ReduceMean", "pool", ["input", "axes"], "logits", keepdims=0)], axes)
    with pytest.raises(ModelError, match="nothing to quantize"):
        quantized(network)
    with pytest.raises(ModelError, match="leaves in float"):
        quantized(plain(), exclude=(".*",))


def test_an_old_opset_is_refused():
    weights = random_constants({"head.weight": (3, 192)})
    nodes = [node("Flatten", "flat", ["input"]), node("Gemm", "head", ["flat", "head.weight"], "logits", transB=1)]
    with pytest.raises(ModelError, match=r"opset 12.*export\.opset=18"):
        quantized(model(nodes, weights, opset=12))


def test_integers_where_the_first_or_last_layer_is_float():
    with pytest.raises(ConfigError, match=r"quantize\.input: uint8 needs a first layer of integers"):
        quantized(residual(), exclude=("stem",), input="uint8")
    with pytest.raises(ConfigError, match=r"quantize\.output: int8 needs a last layer of integers"):
        quantized(residual(), exclude=("head",), output="int8")


def test_no_convolution_to_leave_in_float():
    weights = random_constants({"head.weight": (3, 192)})
    nodes = [node("Flatten", "flat", ["input"]), node("Gemm", "head", ["flat", "head.weight"], "logits", transB=1)]
    with pytest.raises(ConfigError, match=r"quantize\.first_layer_float"):
        quantized(model(nodes, weights), first_layer_float=True)
