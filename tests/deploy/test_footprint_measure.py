"""Flash, RAM and multiplications of small graphs by hand, and of ST's networks as ST publishes them."""

import numpy as np
import pytest
from footprint_graphs import build_published, graph, kernel, node

from vernier.augment.preprocess import compile_preprocessing
from vernier.config.augment import Resize
from vernier.deploy.export.network import export_network
from vernier.deploy.export.wrap import wrap_network
from vernier.deploy.footprint.estimates import work_of
from vernier.deploy.footprint.measure import measure_footprint
from vernier.deploy.footprint.published import PUBLISHED
from vernier.deploy.footprint.subject import fill_zero_vectors
from vernier.deploy.onnx_info import INPUT, LOGITS, OnnxInfo
from vernier.errors import ModelError

QUICK = ("stmnist, 28 px grey, 36 classes",)
OFF = {"efficientnet": 0.125}
"""ST's 128 bytes more: constants of the clipping before the sigmoid."""


def small():
    """Convolution with ReLU, pooling, classifier; for any number of images."""
    nodes = [
        node("Conv", f"{INPUT} w b", "conv", kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2]),
        node("Relu", "conv", "relu"),
        node("GlobalAveragePool", "relu", "pool"),
        node("Flatten", "pool", "flat"),
        node("Gemm", "flat v c", LOGITS, transB=1),
    ]
    constants = {"w": kernel(4, 3, 3, 3), "b": kernel(4), "v": kernel(5, 4), "c": kernel(5)}
    return graph(nodes, {INPUT: ("N", 3, 8, 6)}, {LOGITS: ("N", 5)}, **constants)


@pytest.mark.parametrize(("precision", "width"), [(None, 4), ("float32", 4), ("int8", 1)])
def test_small_network_by_hand(precision, width):
    found = measure_footprint(small(), precision=precision)
    weights, biases = 4 * 3 * 9 + 5 * 4, 4 + 5
    assert found.flash_bytes == weights * width + biases * 4
    assert found.parameters == weights + biases
    assert found.macs == 4 * 4 * 3 * (3 * 9) + 5 * 4
    assert [layer.kind for layer in found.layers] == ["Conv+Relu", "GlobalAveragePool", "Flatten", "Gemm"]
    assert found.separate.live_bytes == tuple(n * width for n in (144 + 48, 48 + 4, 4, 4 + 5))
    assert found.ram_bytes == 192 * width
    assert found.input_shape == (1, 3, 8, 6)
    assert not found.wrapped
    assert found.in_integers == (precision == "int8")


def test_values_that_two_layers_share_are_stored_once():
    nodes = [node("MatMul", f"{INPUT} w", "one"), node("MatMul", "one w", LOGITS)]
    found = measure_footprint(graph(nodes, {INPUT: (1, 6)}, {LOGITS: (1, 6)}, w=kernel(6, 6)), precision="int8")
    assert found.flash_bytes == 36
    assert found.macs == 72


def test_batchnorm_that_stayed_counts_its_four_vectors():
    nodes = [node("BatchNormalization", f"{INPUT} s b m v", LOGITS)]
    vectors = {name: np.abs(kernel(3)) for name in "sbmv"}
    found = measure_footprint(graph(nodes, {INPUT: (1, 3, 2, 2)}, {LOGITS: (1, 3, 2, 2)}, **vectors), precision="int8")
    assert found.flash_bytes == 4 * 3 * 4
    assert found.ram_bytes == 12


def pair(name, low="scale"):
    """Rounding and its inverse."""
    return [
        node("QuantizeLinear", f"{name} {low} zero", f"{name}_q"),
        node("DequantizeLinear", f"{name}_q {low} zero", f"{name}_d"),
    ]


def quantized(last_in_float):
    """Two convolutions and Add, the second convolution perhaps left in float."""
    weight = "v" if last_in_float else "v_d"
    nodes = [
        *pair(INPUT),
        node("DequantizeLinear", "w_q scales zeros", "w_d", axis=0),
        node("DequantizeLinear", "b_q scales", "b_d", axis=0),
        node("DequantizeLinear", "v_q scales zeros", "v_d", axis=0),
        node("Conv", f"{INPUT}_d w_d b_d", "one", kernel_shape=[1, 1]),
        node("Relu", "one", "relu"),
        *pair("relu"),
        node("Conv", f"relu_d {weight}", "two", kernel_shape=[1, 1]),
        *pair("two"),
        node("Add", "two_d relu_d", "sum"),
        *pair("sum"),
        node("Identity", "sum_d", LOGITS),
    ]
    constants = {
        "scale": np.float32(0.1),
        "zero": np.uint8(7),
        "scales": np.full(2, 0.1, np.float32),
        "zeros": np.zeros(2, np.int8),
        "w_q": np.ones((2, 2, 1, 1), np.int8),
        "b_q": np.ones(2, np.int32),
        "v_q": np.ones((2, 2, 1, 1), np.int8),
        "v": kernel(2, 2, 1, 1),
    }
    return graph(nodes, {INPUT: (1, 2, 4, 5)}, {LOGITS: (1, 2, 4, 5)}, **constants)


def test_integers_in_a_quantized_graph_cost_a_byte():
    found = measure_footprint(quantized(last_in_float=False))
    assert [layer.kind for layer in found.layers] == ["Conv+Relu", "Conv", "Add", "DequantizeLinear", "Identity"]
    assert found.flash_bytes == 4 + 8 + 4
    assert found.scale_bytes == 4 + 1 + 8 + 2
    assert found.separate.live_bytes == (80, 80, 80, 40 + 160, 160)
    assert found.in_integers


def test_a_layer_left_in_float_costs_floats_and_conversions():
    found = measure_footprint(quantized(last_in_float=True))
    kinds = [layer.kind for layer in found.layers]
    assert kinds == ["Conv+Relu", "DequantizeLinear", "Conv", "QuantizeLinear", "Add", "DequantizeLinear", "Identity"]
    assert found.flash_bytes == 4 + 8 + 16
    # The integers stay for Add; the convolution reads and writes floats.
    assert found.separate.live_bytes == (80, 40 + 160, 40 + 320, 40 + 160 + 40, 80, 40 + 160, 160)
    assert not found.in_integers


@pytest.mark.parametrize("last_in_float", [False, True])
def test_pairs_cost_nothing_where_one_width_is_asked_for(last_in_float):
    found = measure_footprint(quantized(last_in_float), precision="int8")
    assert [layer.kind for layer in found.layers] == ["Conv+Relu", "Conv", "Add", "Identity"]
    assert found.flash_bytes == 4 + 8 + 4
    assert found.ram_bytes == 80


def test_of_a_wrapped_model_only_the_network_counts():
    preprocessing = compile_preprocessing([Resize(size=(8, 6))], channels=3, fill=0, interpolation="bilinear").to_json()
    info = OnnxInfo("image", tuple("abcde"), "multiclass", preprocessing, 0.5, None, None, "nhwc", "small", "0")
    wrapped = measure_footprint(wrap_network(small(), info, image_size=None, batch_size=None), precision="int8")
    bare = measure_footprint(small(), precision="int8")
    assert wrapped.wrapped
    assert wrapped.layers == bare.layers
    assert wrapped.separate == bare.separate


def test_an_image_of_any_size_is_an_error_with_the_remedy():
    model = graph([node("Relu", INPUT, LOGITS)], {INPUT: ("N", 3, "h", "w")}, {LOGITS: ("N", 3, "h", "w")})
    with pytest.raises(ModelError, match=r"'input' has an axis of any length.*fixed image size"):
        measure_footprint(model)


def test_operators_on_integers_are_an_error_that_names_them():
    model = graph([node("Relu", "input", LOGITS)], {"input": (1, 4)}, {LOGITS: (1, 4)})
    model.graph.node[0].op_type = "QLinearConv"
    with pytest.raises(ModelError, match=r"logits: QLinearConv is not counted.*QDQ"):
        measure_footprint(model)


@pytest.mark.parametrize(
    "row",
    [pytest.param(row, id=row.name, marks=() if row.name in QUICK else (pytest.mark.slow,)) for row in PUBLISHED],
)
def test_flash_is_what_st_publishes(row):
    module, channels, size = build_published(row.name)
    fill_zero_vectors(module)
    network = export_network(module, channels, (size, size), opset=18, batch_size=None)
    found = measure_footprint(network, precision="int8")
    assert round(found.flash_bytes / 1024 + OFF.get(row.family, 0), 2) == row.weights
    assert work_of(found) == row.work
    for plan in (found.separate, found.line_buffers):
        assert plan.bytes == plan.peak_bytes
    assert found.line_buffers.bytes <= found.ram_bytes


def test_the_16_flash_figures_are_among_the_published():
    figures = {row.weights for row in PUBLISHED if row.family != "efficientnet"}
    assert len(figures) == 16
