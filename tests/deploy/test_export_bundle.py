"""`vernier export`: a file that says what the bundle says, or none at all."""

import json

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from vernier import api, cli
from vernier.augment.preprocess import Preprocessing
from vernier.config.augment import CentralCrop, Resize
from vernier.config.model import ModelConfig
from vernier.deploy.export.files import read_onnx, write_onnx
from vernier.deploy.export.pt2 import load_program
from vernier.deploy.onnx_classifier import load_onnx
from vernier.errors import ModelError, RunError
from vernier.evaluation.classifier import load_classifier
from vernier.evaluation.metrics import probabilities_of
from vernier.models.bundle import BundleInfo, save_bundle
from vernier.models.providers import build_model, make_architecture
from vernier.models.settle import settle_model


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A small network whose images are resized, cropped and normalised; calibrated."""
    torch.manual_seed(0)
    settled, _ = settle_model(ModelConfig(name="digits_cnn"))
    architecture = make_architecture(settled, num_outputs=3, channels=3, input_size=(8, 8))
    module = build_model(architecture)
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.running_mean, std=0.1)
    geometry = (Resize(name="Resize", size=(10, 10), mode="shortest"), CentralCrop(name="CentralCrop", size=(8, 8)))
    preprocessing = Preprocessing(3, geometry, "bilinear", 0, (0.02, 0.03, 0.04), (-2.0, -2.5, -3.0))
    info = BundleInfo(architecture, ("a", "b", "c"), "multiclass", preprocessing.to_json(), 0.5, 1.7, {}, {})
    directory = tmp_path_factory.mktemp("models") / "small"
    save_bundle(directory, module, info)
    return directory


def bundle_probabilities(bundle, images):
    classifier = load_classifier(bundle)
    logits = classifier.logits(images, range(len(images)), batch_size=8, threads=0)
    return probabilities_of(logits, classifier.task)


def noise(*size):
    return np.random.default_rng(1).integers(0, 256, size, np.uint8)


def test_a_file_takes_images_and_gives_the_bundles_probabilities(bundle, tmp_path, capsys):
    file = tmp_path / "deep" / "small.onnx"
    assert cli.main(["export", str(bundle), "--output", str(file), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["file"], said["format"], said["kind"], said["passed"]) == (str(file), "onnx", "image", True)
    assert said["parity"]["n"] == 24
    assert said["parity"]["agreement"] == 1
    assert "random pixels in three sizes" in said["parity"]["images"]
    assert said["size"] == file.stat().st_size
    images = noise(2, 20, 31, 3)
    session = onnxruntime.InferenceSession(file)
    probabilities = session.run(None, {"image": images})[0]
    np.testing.assert_allclose(probabilities, bundle_probabilities(bundle, images), atol=1e-5)
    info = load_onnx(file).info
    assert (info.class_names, info.temperature, info.model) == (("a", "b", "c"), 1.7, "digits_cnn")
    assert [entry.name for entry in file.parent.iterdir()] == ["small.onnx"]


def test_the_network_alone_in_another_opset(bundle, tmp_path):
    file = tmp_path / "raw.onnx"
    report = api.export(bundle, "export.raw=true", "export.opset=13", output=file, parity=5)
    assert report.kind == "network"
    assert report.parity.max_difference < 1e-5
    assert onnxruntime.InferenceSession(file).get_inputs()[0].shape == ["N", 3, 8, 8]


def test_fixed_sizes_and_planes(bundle, tmp_path):
    file = tmp_path / "fixed.onnx"
    settings = ["export.image_size=[12,14]", "export.batch_size=2", "export.layout=nchw"]
    report = api.export(bundle, *settings, output=file)
    assert report.parity.max_difference < 1e-5
    assert onnxruntime.InferenceSession(file).get_inputs()[0].shape == [2, 3, 12, 14]


def test_a_file_too_far_from_the_bundle_is_not_kept(bundle, tmp_path, capsys):
    file = tmp_path / "far.onnx"
    file.write_bytes(b"what was there")
    words = ["export", str(bundle), "export.tolerance=1e-15", "--output", str(file)]
    assert cli.main(words) == 1
    assert "export.tolerance is 1e-15" in capsys.readouterr().err
    assert [entry.read_bytes() for entry in tmp_path.iterdir()] == [b"what was there"]


def test_pt2_in_plain_torch(bundle, tmp_path):
    file = tmp_path / "small.pt2"
    report = api.export(bundle, "export.image_size=[12,14]", format="pt2", output=file)
    assert report.parity.max_difference < 1e-5
    images = noise(3, 12, 14, 3)
    probabilities, _ = torch.export.load(file).module()(torch.from_numpy(images))
    np.testing.assert_allclose(probabilities.numpy(), bundle_probabilities(bundle, images), atol=1e-5)
    said = load_program(file)[1]
    assert (said["class_names"], said["image_size"], said["kind"]) == (["a", "b", "c"], [12, 14], "image")
    assert b"site-packages" not in file.read_bytes()


def test_wrong_words(bundle, capsys):
    for words, text in [
        (["--format", "tflite"], "--format takes onnx or pt2"),
        (["--parity", "some"], "--parity takes a number of images"),
        (["export.raw=true", "export.layout=nchw"], "export.layout: has no effect"),
    ]:
        assert cli.main(["export", str(bundle), *words]) == 2
        assert text in capsys.readouterr().err


def test_damaged_weights_are_refused(bundle, tmp_path):
    save = tmp_path / "copy"
    save.mkdir()
    for file in bundle.iterdir():
        content = bytearray(file.read_bytes())
        content[-1] ^= file.suffix == ".safetensors"
        (save / file.name).write_bytes(content)
    with pytest.raises(ModelError, match="damaged"):
        api.export(save)
    assert not (tmp_path / "copy.onnx").exists()


def test_files_that_are_no_onnx(tmp_path):
    for name, content in [("text.onnx", b"hello"), ("empty.onnx", b"")]:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ModelError, match="not an ONNX model"):
            read_onnx(tmp_path / name)
    with pytest.raises(ModelError, match="can't be read"):
        read_onnx(tmp_path / "nowhere.onnx")
    import onnx

    with pytest.raises(RunError, match="can't be made"):
        write_onnx(tmp_path / "text.onnx" / "model.onnx", onnx.ModelProto())
