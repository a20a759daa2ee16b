"""`export.after_training`: files beside the bundles, and a training that a failed export does not lose."""

import json

import pytest

from vernier import api
from vernier.deploy.export.pt2 import load_program
from vernier.errors import ConfigError

BASE = ("data=digits", "model=digits_cnn", "train.epochs=1", "train.threads=1", "data.threads=1", "train.speed=off",
        "train.limit_train=5st", "run.dir=run")  # fmt: skip


def test_files_are_written_and_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    end = api.train(None, *BASE, "export.after_training=[pt2]")
    assert end.exit_status == 0
    names = {"best.pt2", "final.pt2"}
    assert {file.name for file in (tmp_path / "run" / "export").iterdir()} == names
    told = json.loads((tmp_path / "run" / "result.json").read_text())["exports"]
    assert [made["parity"]["n"] for made in told] == [256] * 2
    assert "val images of digits" in told[0]["parity"]["images"]
    said = load_program(tmp_path / "run" / "export" / "best.pt2")[1]
    assert said["class_names"] == list("0123456789")
    assert "exported: run/export/best.pt2" in (tmp_path / "run" / "train.log").read_text()


def test_a_failed_export_leaves_the_training(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("vernier.deploy.export.after_training._BUNDLES", ("best",))
    end = api.train(None, *BASE, "export.after_training=[onnx]", "export.opset=24", "export.tolerance=1e-15")
    assert (end.exit_status, end.result["status"]) == (1, "finished")
    assert "export.tolerance is 1e-15" in end.result["exports"][0]["error"]
    assert list((tmp_path / "run" / "export").iterdir()) == []
    assert (tmp_path / "run" / "best" / "bundle.json").is_file()
    assert api.train(
        None, *BASE, "export.after_training=[onnx]", "export.opset=24", "export.tolerance=1e-15"
    ).was_finished


def test_missing_packages_are_told_before_the_training(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("vernier.config.checks.export._PACKAGES", ("onnx", "onnx_that_is_not_there"))
    with pytest.raises(ConfigError, match=r"export.after_training: onnx needs onnx_that_is_not_there"):
        api.train(None, *BASE, "export.after_training=[onnx]")
    assert list(tmp_path.iterdir()) == []
