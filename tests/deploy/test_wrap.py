import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from graph_sessions import session_of
from onnx import TensorProto, helper, numpy_helper

from vernier.augment.preprocess import compile_preprocessing
from vernier.config.augment import CentralCrop, Normalize, Resize
from vernier.deploy.export.network import export_network
from vernier.deploy.export.wrap import read_info, unwrap_network, wrap_network
from vernier.deploy.onnx_classifier import load_onnx
from vernier.deploy.onnx_info import OnnxInfo
from vernier.errors import ModelError
from vernier.models.task import make_task
from vernier.models.zoo.digits_cnn import digits_cnn

CLASSES = {"multiclass": ("a", "b", "c"), "binary": ("no", "yes"), "multilabel": ("a", "b", "c")}
OPERATIONS = [Resize(size=18, mode="shortest"), CentralCrop(size=16), Normalize(mean=0.5, std=0.25)]


def _info(task: str = "multiclass", *, channels: int = 3, **values) -> OnnxInfo:
    preprocessing = compile_preprocessing(OPERATIONS, channels=channels, fill=9, interpolation="bilinear")
    fields = {
        "kind": "image",
        "class_names": CLASSES[task],
        "task": task,
        "preprocessing": preprocessing.to_json(),
        "threshold": 0.4,
        "temperature": None,
        "reject_threshold": 0.3,
        "layout": "nhwc",
        "model": "tiny",
        "source_sha256": "0" * 64,
    }
    return OnnxInfo(**{**fields, **values})


def _network(
    task: str = "multiclass", *, channels: int = 3, opset: int = 18, batch: int | str = "N"
) -> onnx.ModelProto:
    """A convolution, its mean, and a second output."""
    generator = np.random.default_rng(0)
    outputs = make_task(task, CLASSES[task]).num_outputs
    weights = generator.normal(size=(outputs, channels, 3, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["input", "conv.weight"], ["conv"], "conv", kernel_shape=[3, 3]),
        helper.make_node("GlobalAveragePool", ["conv"], ["pool"], "pool"),
        helper.make_node("Flatten", ["pool"], ["logits"], "flatten"),
    ]
    given = helper.make_tensor_value_info("input", TensorProto.FLOAT, [batch, channels, 16, 16])
    made = [
        helper.make_tensor_value_info("conv", TensorProto.FLOAT, [batch, outputs, 14, 14]),
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch, outputs]),
    ]
    graph = helper.make_graph(nodes, "tiny", [given], made, [numpy_helper.from_array(weights, "conv.weight")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


def _random(height: int, width: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(height * 1000 + width).integers(0, 256, (height, width, channels), dtype=np.uint8)


def _expected_logits(network: onnx.ModelProto, info: OnnxInfo, image: np.ndarray) -> np.ndarray:
    return session_of(network).run(["logits"], {"input": info.make_preprocessing()(image)[None]})[0][0]


@pytest.mark.parametrize("task", CLASSES)
def test_probabilities_are_those_of_the_task(task):
    info = _info(task, temperature=1.7)
    network = _network(task)
    model = wrap_network(network, info, image_size=None, batch_size=None)
    onnx.checker.check_model(model, full_check=True)
    session = session_of(model)
    image = _random(50, 33)
    probabilities, logits, conv = session.run(None, {"image": image[None]})
    np.testing.assert_allclose(logits[0], _expected_logits(network, info, image), atol=1e-5)
    expected = info.make_task().probabilities(torch.from_numpy(logits) / 1.7)
    np.testing.assert_allclose(probabilities, expected.numpy(), atol=1e-6)
    assert conv.shape[2:] == (14, 14)
    assert [output.name for output in session.get_outputs()] == ["probabilities", "logits", "conv"]


@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize("layout", ["nhwc", "nchw"])
def test_a_wrapped_file_answers_as_preprocessing_and_network_do(channels, layout, tmp_path):
    info, network = _info(channels=channels, layout=layout), _network(channels=channels)
    for image_size in (None, (40, 30)):
        file = tmp_path / "model.onnx"
        file.write_bytes(wrap_network(network, info, image_size=image_size, batch_size=1).SerializeToString())
        sizes = [(40, 30)] if image_size else [(40, 30), (16, 16), (3, 90), (200, 121)]
        images = [_random(*size, channels) for size in sizes]
        logits = load_onnx(file).logits(images, range(len(images)), batch_size=1, threads=0)
        expected = np.stack([_expected_logits(network, info, image) for image in images])
        np.testing.assert_allclose(logits, expected, atol=1e-4)


@pytest.mark.slow
def test_a_network_of_torch(tmp_path):
    torch.manual_seed(0)
    module = digits_cnn(num_classes=3, in_channels=3)
    network = export_network(module, 3, (16, 16), opset=18, batch_size=None)
    info = _info(temperature=0.5)
    model = wrap_network(network, info, image_size=None, batch_size=None)
    onnx.checker.check_model(model, full_check=True)
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    classifier = load_onnx(tmp_path / "model.onnx")
    images = [_random(*size) for size in [(16, 16), (20, 70), (300, 200)]]
    logits = classifier.logits(images, range(3), batch_size=1, threads=0)
    with torch.inference_mode():
        batch = torch.from_numpy(np.stack([info.make_preprocessing()(image) for image in images]))
        expected = module.eval()(batch).numpy() / 0.5
    np.testing.assert_allclose(logits, expected, atol=1e-4)
    assert classifier.info == info


def test_a_batch_is_its_images():
    info, network = _info(), _network()
    session = session_of(wrap_network(network, info, image_size=None, batch_size=None))
    images = np.stack([_random(30, 20), _random(30, 20)[:, ::-1]])
    logits = session.run(["logits"], {"image": images})[0]
    expected = np.stack([_expected_logits(network, info, image) for image in images])
    np.testing.assert_allclose(logits, expected, atol=1e-5)


def test_quantized_networks_are_wrapped(tmp_path):
    network = _network()
    quantize = [
        helper.make_node("QuantizeLinear", ["input", "q.scale", "q.zero"], ["q"], "q"),
        helper.make_node("DequantizeLinear", ["q", "q.scale", "q.zero"], ["dq"], "dq"),
    ]
    nodes = [*quantize, *network.graph.node]
    nodes[2].input[0] = "dq"
    del network.graph.node[:]
    network.graph.node.extend(nodes)
    network.graph.initializer.append(numpy_helper.from_array(np.array(0.02, np.float32), "q.scale"))
    network.graph.initializer.append(numpy_helper.from_array(np.array(100, np.uint8), "q.zero"))
    info = _info(quantization={"input": None, "output": None})
    model = wrap_network(network, info, image_size=None, batch_size=None)
    image = _random(25, 44)
    logits = session_of(model).run(["logits"], {"image": image[None]})[0][0]
    # A value in the middle between two steps may be rounded to either.
    np.testing.assert_allclose(logits, _expected_logits(network, info, image), atol=0.05)


@pytest.mark.parametrize("image_size", [None, (30, 30)])
def test_unwrapping_gives_the_network_back(image_size):
    network = _network(batch=2)
    network.graph.doc_string = "kept"
    wrapped = wrap_network(network, _info(), image_size=image_size, batch_size=2)
    inner = unwrap_network(wrapped)
    assert {output.name for output in inner.graph.output} == {"conv", "logits"}
    assert inner.graph.node == network.graph.node
    assert inner.graph.initializer == network.graph.initializer
    assert inner.graph.input == network.graph.input
    assert inner.opset_import == network.opset_import
    assert inner.ir_version == network.ir_version
    assert not inner.graph.value_info
    assert inner.metadata_props == wrapped.metadata_props
    onnx.checker.check_model(inner, full_check=True)


def test_a_network_unwraps_to_itself():
    network = _network()
    assert unwrap_network(network) == network


def test_a_bare_network_gets_metadata_only():
    network, info = _network(), _info(kind="network", quantization={"input": {"type": "uint8"}})
    network.metadata_props.add(key="of another program", value="kept")
    model = wrap_network(network, info, image_size=None, batch_size=None)
    assert model.graph == network.graph
    assert read_info(model, Path("model.onnx")) == info
    assert {entry.key: entry.value for entry in model.metadata_props}["of another program"] == "kept"
    assert model.producer_name == "vernier"


def test_what_the_file_says_of_itself():
    info = _info()
    model = wrap_network(_network(), info, image_size=None, batch_size=None)
    assert read_info(model, "model.onnx") == info
    assert read_info(_network(), "model.onnx") is None
    texts = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(texts["class_names"]) == ["a", "b", "c"]
    assert "(N, height, width, channels)" in model.graph.input[0].doc_string
    dimensions = [part.dim_param or part.dim_value for part in model.graph.input[0].type.tensor_type.shape.dim]
    assert dimensions == ["N", "height", "width", 3]


def test_the_network_is_left_as_it_is():
    network = _network()
    before = network.SerializeToString(deterministic=True)
    wrap_network(network, _info(), image_size=None, batch_size=None)
    assert network.SerializeToString(deterministic=True) == before


def test_an_old_opset_is_refused():
    with pytest.raises(ModelError, match=r"of ONNX opset 12, and preprocessing needs 13 or newer; export it"):
        wrap_network(_network(opset=12), _info(), image_size=None, batch_size=None)


def test_another_batch_size_is_refused():
    with pytest.raises(ModelError, match="takes 2 images at once, not any number"):
        wrap_network(_network(batch=2), _info(), image_size=None, batch_size=None)


def test_names_that_are_taken_are_refused():
    network = _network()
    network.graph.node[0].name = "preprocess/conv"
    with pytest.raises(ModelError, match="called preprocess/conv, a name that preprocessing takes"):
        wrap_network(network, _info(), image_size=None, batch_size=None)
