from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from vernier.deploy.export.adopt import adopt_network
from vernier.deploy.export.wrap import wrap_network
from vernier.deploy.foreign import foreign_info
from vernier.deploy.onnx_classifier import load_onnx
from vernier.deploy.onnx_info import OnnxInfo
from vernier.errors import ModelError

WORDS = ["data.class_names=[china,flower]", "augment.eval=[{name: Resize, size: 8},{name: Rescale, scale: 0.01}]"]
IMAGES = [np.random.default_rng(seed).integers(0, 256, (12, 9, 3), dtype=np.uint8) for seed in range(4)]


def _network(*, last: str | None = None, channels_last: bool = False, names=("pixels", "maps", "answers")):
    """A convolution and its mean, as another program may write it."""
    given, maps, answers = names
    weights = np.random.default_rng(0).normal(size=(2, 3, 3, 3)).astype(np.float32)
    nodes = [helper.make_node("Transpose", [given], ["first"], perm=[0, 3, 1, 2])] if channels_last else []
    nodes += [
        helper.make_node("Conv", ["first" if channels_last else given, "w"], [maps], kernel_shape=[3, 3]),
        helper.make_node("GlobalAveragePool", [maps], ["means"]),
        helper.make_node("Flatten", ["means"], ["scores" if last else answers]),
    ]
    nodes += [helper.make_node(last, ["scores"], [answers])] if last else []
    shape = ["n", 8, 8, 3] if channels_last else ["n", 3, 8, 8]
    graph = helper.make_graph(
        nodes,
        "other",
        [helper.make_tensor_value_info(given, TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in (answers, maps)],
        [numpy_helper.from_array(weights, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _logits(path: Path, model: onnx.ModelProto, info: OnnxInfo | None) -> np.ndarray:
    path.write_bytes(model.SerializeToString())
    info = foreign_info(path, WORDS) if info is None else info
    return load_onnx(path, info).logits(IMAGES, range(4), batch_size=1, threads=0)


@pytest.mark.parametrize("kind", ["image", "network"])
@pytest.mark.parametrize(
    "network",
    [
        _network(),
        _network(last="Softmax"),
        _network(channels_last=True),
        _network(channels_last=True, names=("input", "input.maps", "answers")),
        _network(names=("logits", "input", "pixels")),
    ],
    ids=["plain", "softmax", "channels last", "same input", "names the other way round"],
)
def test_an_adopted_network_answers_as_before(tmp_path, network, kind):
    plain = _logits(tmp_path / "plain.onnx", _network(), None)
    (tmp_path / "other.onnx").write_bytes(network.SerializeToString())
    before = network.SerializeToString()
    adopted, info = adopt_network(network, foreign_info(tmp_path / "other.onnx", WORDS))
    assert network.SerializeToString() == before
    assert ([value.name for value in adopted.graph.input], [value.name for value in adopted.graph.output]) == (
        ["input"],
        ["logits"],
    )
    onnx.checker.check_model(adopted, full_check=True)
    info = replace(info, kind=kind)
    wrapped = wrap_network(adopted, info, image_size=None, batch_size=None)
    np.testing.assert_allclose(_logits(tmp_path / "ours.onnx", wrapped, info), plain, atol=1e-5)


def test_probabilities_that_something_else_makes(tmp_path):
    network = _network(last="Softmax")
    network.graph.node[-1].output[0] = "shares"
    network.graph.node.append(helper.make_node("Identity", ["shares"], ["answers"], "end"))
    (tmp_path / "other.onnx").write_bytes(network.SerializeToString())
    info = foreign_info(tmp_path / "other.onnx", WORDS)
    with pytest.raises(ModelError, match="gives probabilities, and its last node end is Identity; only Softmax or"):
        adopt_network(network, info)
