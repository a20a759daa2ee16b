import math

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from deploy.quantize_networks import model, node, plain, residual
from vernier.config.quantize import QuantizeConfig
from vernier.deploy.quantize.noise import measure_noise
from vernier.deploy.quantize.report import noise_table
from vernier.deploy.quantize.static import quantize_network


def _images(count: int = 8) -> np.ndarray:
    return np.random.default_rng(7).standard_normal((count, 3, 8, 8)).astype(np.float32)


def _batches(images: np.ndarray):
    return lambda: iter([images[:3], images[3:]])


def _decibels(exact: np.ndarray, rounded: np.ndarray) -> float:
    exact, rounded = exact.astype(np.float64), rounded.astype(np.float64)
    return 10 * math.log10((exact**2).sum() / ((exact - rounded) ** 2).sum())


def _one_product() -> tuple[onnx.ModelProto, onnx.ModelProto, dict[str, np.ndarray]]:
    """A matrix product in float and with both its factors rounded, by hand."""
    weight = np.random.default_rng(1).standard_normal((192, 3)).astype(np.float32)
    flat, product = node("Flatten", "flat", ["input"]), node("MatMul", "head", ["flat", "head.weight"], "logits")
    network = model([flat, product], {"head.weight": weight})
    scale, zero_point, of_weight = np.float32(0.05), np.uint8(120), np.float32(np.abs(weight).max() / 127)
    rounded = np.clip(np.rint(weight / of_weight), -127, 127).astype(np.int8)
    nodes = [
        flat,
        node("QuantizeLinear", "q", ["flat", "s", "z"], "codes"),
        node("DequantizeLinear", "d", ["codes", "s", "z"], "values"),
        node("DequantizeLinear", "w", ["head.weight_quantized", "ws", "wz"], "weights"),
        node("MatMul", "head", ["values", "weights"], "logits"),
    ]
    constants = {"s": scale, "z": zero_point, "ws": of_weight, "wz": np.int8(0), "head.weight_quantized": rounded}
    return network, model(nodes, constants), {"weight": weight, "rounded": rounded * of_weight}


def test_the_ratios_are_those_of_the_formula():
    network, quantized, constants = _one_product()
    images = _images()
    (noise,) = measure_noise(network, quantized, _batches(images))
    flat = images.reshape(len(images), -1).astype(np.float64)
    codes = np.clip(np.rint(images.reshape(len(images), -1) / np.float32(0.05)) + 120, 0, 255)
    rounded = (codes - 120) * 0.05
    assert (noise.name, noise.kind) == ("head", "MatMul")
    assert noise.input == pytest.approx(_decibels(flat, rounded), abs=1e-3)
    assert noise.weights == pytest.approx(_decibels(constants["weight"], constants["rounded"]), abs=1e-3)
    exact, found = flat @ constants["weight"], rounded @ constants["rounded"]
    assert noise.output == pytest.approx(_decibels(exact, found), abs=0.05)
    shares = [10 ** (-ratio / 10) for ratio in (noise.output, noise.input)]
    assert noise.added == pytest.approx(max(0.0, shares[0] - shares[1]))


def test_only_so_many_images_are_read():
    network, quantized, _ = _one_product()
    images = _images(8)
    four = measure_noise(network, quantized, lambda: iter([images[:4]]))
    assert measure_noise(network, quantized, lambda: iter([images[:3], images[3:]]), images=4) == four


def test_every_weighted_layer_is_measured_under_its_name():
    images = _batches(_images())
    network = residual()
    found = measure_noise(network, quantize_network(network, images, QuantizeConfig()).model, images)
    assert {noise.name for noise in found} == {"stem", "expand", "depthwise", "project", "head"}
    assert all(15 < noise.output < 70 and 30 < noise.weights < 70 for noise in found)
    assert [noise.added for noise in found] == sorted((noise.added for noise in found), reverse=True)


def test_a_layer_with_one_huge_weight_is_the_worst_without_channels_of_its_own():
    network, images = residual(), _batches(_images())
    weight = next(tensor for tensor in network.graph.initializer if tensor.name == "project.weight")
    values = numpy_helper.to_array(weight).copy()
    values[0, 0] = 60.0
    weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    settings = QuantizeConfig(granularity="per_tensor")
    found = {noise.name: noise for noise in measure_noise(network, _quantized(network, settings), images)}
    assert min(found.values(), key=lambda noise: noise.weights).name == "project"
    per_channel = {noise.name: noise for noise in measure_noise(network, _quantized(network, QuantizeConfig()), images)}
    assert per_channel["expand"].weights == pytest.approx(found["expand"].weights, abs=6)


def _quantized(network: onnx.ModelProto, settings: QuantizeConfig) -> onnx.ModelProto:
    return quantize_network(network, _batches(_images()), settings).model


def test_a_layer_left_in_float_has_exact_weights():
    network = plain()
    quantized = _quantized(network, QuantizeConfig(exclude=("stem",)))
    found = {noise.name: noise for noise in measure_noise(network, quantized, _batches(_images()))}
    assert found["stem"].weights == math.inf
    assert found["stem"].to_json()["weights_db"] is None
    assert math.isfinite(found["head"].weights)
    assert "inf" in noise_table([found["stem"]])[1]
