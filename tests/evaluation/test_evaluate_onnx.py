import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from vernier import api, cli
from vernier.augment.preprocess import compile_preprocessing
from vernier.config.augment import CentralCrop, Rescale, Resize
from vernier.deploy.export.wrap import read_info, unwrap_network, wrap_network
from vernier.deploy.foreign import foreign_info
from vernier.deploy.onnx_classifier import load_onnx
from vernier.deploy.onnx_info import OnnxInfo
from vernier.errors import ConfigError, ModelError

DIGITS = ("data=digits", "data.threads=1")
CLASSES = "data.class_names=[china,flower]"
EVAL = "augment.eval=[{name: Resize, size: 8},{name: Rescale, scale: 0.01}]"


@pytest.fixture
def run(quantized_digits_run, tmp_path) -> Path:
    """A run whose best bundle is exported, wrapped and alone."""
    run = shutil.copytree(quantized_digits_run, tmp_path / "run")
    file = run / "export" / "best.onnx"
    model = onnx.load(file)
    info = read_info(model, file)
    alone = wrap_network(unwrap_network(model), replace(info, kind="network"), image_size=None, batch_size=None)
    onnx.save(alone, file.with_name("raw.onnx"))
    return run


def _info(preprocessing: dict, classes: tuple[str, ...], **values) -> OnnxInfo:
    fixed = {"threshold": 0.5, "temperature": None, "reject_threshold": None, "layout": "nhwc", "model": "m"}
    fields = {**fixed, "kind": "image", "task": "multiclass", "source_sha256": ""}
    return OnnxInfo(class_names=classes, preprocessing=preprocessing, **{**fields, **values})


def _predictions(directory: Path) -> list[list[str]]:
    """Path, target and prediction of each image."""
    (file,) = directory.glob("predictions_*.csv")
    with file.open() as lines:
        return [row[:3] for row in csv.reader(lines)]


@pytest.mark.parametrize("name", ["best", "raw"])
def test_an_exported_run_is_measured_as_the_run_is(run, name, tmp_path):
    expected = api.evaluate(run, "data.threads=1", output=tmp_path / "bundle")
    report = api.evaluate(run / "export" / f"{name}.onnx", "data.threads=1", output=tmp_path / "onnx")
    assert (report.part, report.source, report.which) == (expected.part, expected.source, expected.which)
    assert report.measures.values.keys() == expected.measures.values.keys()
    assert report.measures.values == pytest.approx(expected.measures.values, abs=1e-4)
    assert _predictions(tmp_path / "onnx") == _predictions(tmp_path / "bundle")
    assert report.bundle == run / "export" / f"{name}.onnx"


def test_the_runs_own_split_counts(run):
    train = api.evaluate(run, "data.threads=1", split="train")
    assert api.evaluate(run / "export" / "best.onnx", "data.threads=1", split="train").which == train.which


def test_a_file_elsewhere_needs_data(run, tmp_path):
    shutil.copy(run / "export" / "best.onnx", tmp_path / "copy.onnx")
    with pytest.raises(ConfigError, match=r"data\.source: missing"):
        api.evaluate(tmp_path / "copy.onnx")
    assert api.evaluate(tmp_path / "copy.onnx", *DIGITS).part == "test"


def test_the_command_line(run, capsys):
    assert cli.main(["evaluate", str(run / "export" / "best.onnx"), "data.threads=1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["n"] == 359


def _network(
    *,
    classes: int = 2,
    size: tuple[int | str, int | str] = (8, 8),
    last: str | None = None,
    channels_last: bool = False,
    batch: int | str = "n",
) -> onnx.ModelProto:
    """A convolution and its mean, as another program may write it."""
    weights = np.random.default_rng(0).normal(size=(classes, 3, 3, 3)).astype(np.float32)
    nodes = [helper.make_node("Transpose", ["pixels"], ["first"], perm=[0, 3, 1, 2])] if channels_last else []
    nodes += [
        helper.make_node("Conv", ["first" if channels_last else "pixels", "w"], ["maps"], kernel_shape=[3, 3]),
        helper.make_node("GlobalAveragePool", ["maps"], ["means"]),
        helper.make_node("Flatten", ["means"], ["scores" if last else "answers"]),
    ]
    nodes += [helper.make_node(last, ["scores"], ["answers"])] if last else []
    shape = [batch, *size, 3] if channels_last else [batch, 3, *size]
    graph = helper.make_graph(
        nodes,
        "other",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("answers", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(weights, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _write(directory: Path, model: onnx.ModelProto) -> Path:
    path = directory / "other.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def _logits(path: Path, *overrides: str) -> np.ndarray:
    images = [np.random.default_rng(seed).integers(0, 256, (12, 9, 3), dtype=np.uint8) for seed in range(4)]
    classifier = load_onnx(path, foreign_info(path, overrides))
    return classifier.logits(images, range(4), batch_size=1, threads=0)


def test_a_file_of_another_program_is_measured(class_folders, tmp_path):
    path = _write(tmp_path, _network())
    report = api.evaluate(path, f"data={class_folders}", CLASSES, EVAL, "data.threads=1", output=tmp_path / "out")
    assert report.measures.n == 24
    preprocessing = compile_preprocessing(
        [Resize(size=8), Rescale(scale=0.01)], channels=3, fill=0, interpolation="bilinear"
    )
    session = load_onnx(path, foreign_info(path, [CLASSES, EVAL])).session
    right = 0
    for number, name in enumerate(["china", "flower"]):
        for file in (class_folders / name).iterdir():
            pixels = preprocessing(np.asarray(Image.open(file)))
            right += int(session.run(None, {"pixels": pixels[None]})[0].argmax() == number)
    assert report.measures.values["accuracy"] == pytest.approx(right / 24)


def test_sizes_channels_and_names_of_the_graph(tmp_path):
    plain = _logits(_write(tmp_path, _network()), CLASSES, EVAL)
    assert np.ptp(plain) > 0.1
    auto = "augment.eval=[Resize,{name: Rescale, scale: 0.01}]"
    np.testing.assert_allclose(_logits(_write(tmp_path, _network()), CLASSES, auto), plain)
    np.testing.assert_allclose(_logits(_write(tmp_path, _network(channels_last=True)), CLASSES, EVAL), plain, atol=1e-5)
    np.testing.assert_allclose(_logits(_write(tmp_path, _network(batch=3)), CLASSES, EVAL), plain, atol=1e-5)
    any_size = _write(tmp_path, _network(size=("h", "w")))
    np.testing.assert_allclose(_logits(any_size, CLASSES, auto, "model.input_size=8"), plain)


@pytest.mark.parametrize(
    ("task", "last", "classes"),
    [("multiclass", "Softmax", 2), ("multilabel", "Sigmoid", 2), ("binary", "Sigmoid", 1)],
)
def test_probabilities_are_told_from_logits(tmp_path, task, last, classes):
    words = (CLASSES, EVAL, f"data.task={task}")
    plain = _write(tmp_path, _network(classes=classes))
    assert foreign_info(plain, words).outputs == "logits"
    logits = _logits(plain, *words)
    ended = _write(tmp_path, _network(classes=classes, last=last))
    assert foreign_info(ended, words).outputs == "probabilities"
    found = _logits(ended, *words)
    if task == "multiclass":
        logits = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    # Near 1 a probability in float32 says less of its logit.
    np.testing.assert_allclose(found, logits, atol=0.01)


def test_what_has_to_be_given(tmp_path):
    path = _write(tmp_path, _network())
    with pytest.raises(
        ModelError, match=r"other\.onnx: another program wrote it.*'data\.class_names=\[cat,dog\]' 'augm"
    ):
        foreign_info(path, [])
    with pytest.raises(ModelError, match=r"such as 'augment\.eval=\[{name: Resize, size: 224},Rescale\]'"):
        foreign_info(path, [CLASSES])
    with pytest.raises(ConfigError, match=r"augment\.eval: Normalize: .*other\.onnx does not say its mean and std"):
        foreign_info(path, [CLASSES, "augment.eval=[Resize,Normalize]"])
    with pytest.raises(ConfigError, match=r"model\.input_size: .* takes images of several sizes"):
        foreign_info(_write(tmp_path, _network(size=("h", "w"))), [CLASSES, "augment.eval=[Resize,Rescale]"])


def test_settings_that_do_not_fit(tmp_path):
    path = _write(tmp_path, _network())
    with pytest.raises(
        ConfigError, match=r"augment\.eval: makes images of 9 x 9, and .* takes 8 x 8 \(height x width\)"
    ):
        foreign_info(path, [CLASSES, "augment.eval=[{name: Resize, size: 9},Rescale]"])
    with pytest.raises(ConfigError, match=r"data\.class_names: are 3 classes, and .* has 2 output"):
        foreign_info(path, ["data.class_names=[a,b,c]", EVAL])
    with pytest.raises(ConfigError, match=r"data\.task: binary has one output, and .* has 2"):
        foreign_info(path, [CLASSES, EVAL, "data.task=binary"])
    with pytest.raises(ConfigError, match=r"data\.channels: is 1, and .* takes images of 3 channels"):
        foreign_info(path, [CLASSES, EVAL, "data.channels=1"])
    one = _write(tmp_path, _network(classes=1))
    with pytest.raises(ConfigError, match=r"has 1 output\(s\); name data\.task=binary"):
        foreign_info(one, [CLASSES, EVAL])


def test_graphs_that_are_no_classifiers(tmp_path):
    model = _network()
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
    del model.graph.node[:]
    model.graph.node.append(helper.make_node("Cast", ["pixels"], ["answers"], to=TensorProto.FLOAT))
    with pytest.raises(ModelError, match=r"its input pixels is tensor\(uint8\) of shape .*; float32 of \(N, C, height"):
        foreign_info(_write(tmp_path, model), [CLASSES, EVAL])
    model = _network()
    model.graph.output[0].name = "maps"
    with pytest.raises(
        ModelError, match=r"its first output is float32 of shape \(N, 2, 6, 6\); float32 of \(N, classes"
    ):
        foreign_info(_write(tmp_path, model), [CLASSES, EVAL])
    model = _network()
    model.graph.input.append(helper.make_tensor_value_info("mask", TensorProto.FLOAT, [1]))
    with pytest.raises(ModelError, match="has 2 inputs, pixels, mask; a network with one"):
        foreign_info(_write(tmp_path, model), [CLASSES, EVAL])


def test_too_small_an_image_for_the_network(tmp_path):
    path = _write(tmp_path, _network(size=("h", "w")))
    with pytest.raises(ModelError, match=r"can't take images of 2 x 2: .*give its size: model\.input_size"):
        foreign_info(path, [CLASSES, "augment.eval=[{name: Resize, size: 2},Rescale]"])


def test_a_file_of_vernier_says_itself_what_it_is(run):
    with pytest.raises(ModelError, match="says itself what its classes and preprocessing are"):
        foreign_info(run / "export" / "best.onnx", [CLASSES])


def _fixed(class_folders: Path, path: Path) -> Path:
    """A file for images of one size, that of all images but the last three of each class."""
    network = _network()
    names = {"pixels": "input", "answers": "logits"}
    for value in (*network.graph.input, *network.graph.output):
        value.name = names[value.name]
    network.graph.node[0].input[0], network.graph.node[-1].output[0] = "input", "logits"
    shape = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 2])
    network.graph.output[0].CopyFrom(shape)
    preprocessing = compile_preprocessing([CentralCrop(size=8)], channels=3, fill=0, interpolation="bilinear")
    info = _info(preprocessing.to_json(), ("china", "flower"))
    path.write_bytes(wrap_network(network, info, image_size=(160, 200), batch_size=4).SerializeToString())
    for file in class_folders.rglob("*.jpg"):
        Image.open(file).crop((0, 0, 200, 160)).save(file)
    return path


def test_a_file_for_images_of_one_size(class_folders, tmp_path):
    path = _fixed(class_folders, tmp_path / "fixed.onnx")
    words = (f"data={class_folders}", "data.threads=1", "data.on_bad_image=skip")
    assert api.evaluate(path, *words).measures.n == 24
    first = class_folders / "china" / "china_00.jpg"
    first.write_bytes(b"no image")
    assert api.evaluate(path, *words).measures.n == 23
    Image.new("RGB", (31, 30)).save(first)
    with pytest.raises(ModelError, match=r"takes images of 160 x 200 only.*and one is 30 x 31; export it with"):
        api.evaluate(path, *words)
