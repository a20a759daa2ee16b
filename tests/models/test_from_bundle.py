"""A bundle or a run directory as `model.name`."""

import json
from pathlib import Path

import pytest

from vernier.config.algebra import AlgebraConfig
from vernier.config.head import DropoutLayer, LinearLayer
from vernier.config.model import ModelConfig, WarmStartConfig
from vernier.errors import ModelError
from vernier.models.architecture import Architecture
from vernier.models.bundle import BundleInfo, save_bundle
from vernier.models.from_bundle import model_of_bundle
from vernier.models.providers import build_model, make_architecture

PLAIN = Architecture("zoo", "digits_cnn", {}, 10, 1, (8, 8))


def write_bundle(directory: Path, architecture: Architecture) -> None:
    """A bundle whose architecture alone is looked at."""
    info = {
        "schema": 1, "architecture": architecture.to_json(), "class_names": ["a", "b"], "task": "multiclass",
        "preprocessing": {}, "threshold": 0.5, "temperature": None, "metrics": {}, "versions": {}, "sha256": "",
    }  # fmt: skip
    directory.mkdir(parents=True)
    (directory / "bundle.json").write_text(json.dumps(info))


def test_every_part_of_the_architecture_is_taken(tmp_path):
    architecture = Architecture(
        provider="zoo", name="resnet20_cifar", kwargs={"flag": True}, num_outputs=2, channels=4, input_size=(48, 32),
        dropout=0.2, depth=32, width_divisor=2.0, head=(DropoutLayer(p=0.3), LinearLayer(features=8)),
        head_name="head", algebra=AlgebraConfig(name="quaternion"),
    )  # fmt: skip
    write_bundle(tmp_path / "net", architecture)
    model = model_of_bundle(ModelConfig(name=str(tmp_path / "net")))
    assert model is not None
    assert make_architecture(model, num_outputs=2, channels=4, input_size=model.input_size) == architecture
    assert model.weights == str(tmp_path / "net")
    assert model == ModelConfig.model_validate(model.model_dump())


def test_a_real_bundle_and_a_run_directory(tmp_path):
    info = BundleInfo(PLAIN, tuple("0123456789"), "multiclass", {}, 0.5, None, {}, {})
    save_bundle(tmp_path / "run" / "best", build_model(PLAIN), info)
    for path in (tmp_path / "run", tmp_path / "run" / "best"):
        model = model_of_bundle(ModelConfig(name=str(path)))
        assert model == ModelConfig(name="digits_cnn", provider="zoo", weights=str(path), input_size=(8, 8))


def test_what_the_user_may_set_stays(tmp_path):
    write_bundle(tmp_path / "net", PLAIN)
    model = model_of_bundle(
        ModelConfig(
            name=str(tmp_path / "net"),
            frozen="backbone",
            warm_start=WarmStartConfig(partial=True),
            stem_init=("red", "mean"),
            input_size=(16, 24),
        )
    )
    assert model is not None
    assert (model.frozen, model.warm_start.partial, model.stem_init) == ("backbone", True, ("red", "mean"))
    assert model.input_size == (16, 24)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("dropout", 0.3),
        ("dropout", 0.0),
        ("depth", 18),
        ("width_divisor", 2.0),
        ("head", (LinearLayer(features=8),)),
        ("head_name", "fc"),
        ("algebra", AlgebraConfig(name="quaternion")),
        ("kwargs", {"a": 1}),
        ("provider", "zoo"),
        ("pretrained", True),
        ("weights", "other.pth"),
        ("version", "v2"),
        ("alpha", 0.5),
    ],
)
def test_what_the_bundle_fixes_is_refused(tmp_path, field, value):
    write_bundle(tmp_path / "net", PLAIN)
    with pytest.raises(ModelError) as caught:
        model_of_bundle(ModelConfig(name=str(tmp_path / "net"), **{field: value}))
    message = str(caught.value)
    assert message.startswith(f"model.{field}={value!r} is fixed by the bundle's architecture (model.name={tmp_path}")
    assert "with which only model.input_size, model.frozen, model.warm_start, model.stem_init can be set" in message
    assert message.endswith(
        f"to change it name the architecture and give the bundle as model.weights={tmp_path / 'net'}"
    )


def test_all_that_is_refused_is_named_at_once(tmp_path):
    write_bundle(tmp_path / "net", PLAIN)
    with pytest.raises(
        ModelError, match=r"model\.depth=18, model\.dropout=0\.3 are fixed .* Drop them; to change them"
    ):
        model_of_bundle(ModelConfig(name=str(tmp_path / "net"), dropout=0.3, depth=18))


def test_other_names_are_no_bundles(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "resnet18").mkdir()
    (tmp_path / "resnet18" / "notes.txt").touch()
    (tmp_path / "file").touch()
    for name in ("resnet18", "resnet50", "package.module:build", "file", "hf-hub:x/y"):
        assert model_of_bundle(ModelConfig(name=name, depth=18)) is None


def test_a_plain_name_that_is_a_bundles_directory_is_the_bundle(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_bundle(tmp_path / "mine", PLAIN)
    model = model_of_bundle(ModelConfig(name="mine"))
    assert model is not None
    assert (model.name, model.weights) == ("digits_cnn", "mine")


def test_a_damaged_bundle_is_an_error_not_another_name(tmp_path):
    write_bundle(tmp_path / "net", PLAIN)
    (tmp_path / "net" / "bundle.json").write_text("{")
    with pytest.raises(ModelError, match=r"bundle\.json: not JSON"):
        model_of_bundle(ModelConfig(name=str(tmp_path / "net")))
