import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from vernier import api, cli
from vernier.augment.preprocess import compile_preprocessing
from vernier.config.augment import Normalize, Resize
from vernier.errors import DataError, RunError
from vernier.evaluation.calibration import reliability
from vernier.evaluation.classifier import load_classifier
from vernier.models.architecture import Architecture
from vernier.models.bundle import BundleInfo, read_info, read_weights, save_bundle, update_info
from vernier.models.providers import build_model
from vernier.models.task import make_task


def _save(directory: Path, task: str = "multiclass", sharpen: float = -30.0, threshold: float = 0.5) -> Path:
    """A network that tells the digits 0 and 1 apart, somewhat, with too much confidence."""
    torch.manual_seed(0)
    classes = ("0", "1")
    architecture = Architecture("zoo", "digits_cnn", {}, make_task(task, classes).num_outputs, 1, (8, 8))
    module = build_model(architecture)
    with torch.no_grad():
        for parameter in list(module.parameters())[-2:]:
            parameter.mul_(sharpen)
    preprocessing = compile_preprocessing(
        [Resize(size=8), Normalize(mean=0.5, std=0.5)], channels=1, fill=0, interpolation="bilinear"
    )
    save_bundle(
        directory, module, BundleInfo(architecture, classes, task, preprocessing.to_json(), threshold, None, {}, {})
    )
    return directory


DATA = ("data=digits", "data.class_names=[0,1]", "data.threads=1", "train.threads=1")


@pytest.fixture
def run(digits_run, tmp_path) -> Path:
    shutil.copytree(digits_run, tmp_path / "run")
    return tmp_path / "run"


def test_a_run_is_calibrated_on_its_own_validation_images(run):
    weights = read_weights(run / "best")
    report = api.calibrate(run, precision=0.9)
    info = read_info(run / "best")
    assert report.written
    assert (info.temperature, info.reject_threshold) == (report.temperature, report.rejection.threshold)
    assert info.metrics["calibration"]["part"] == "val"
    assert set(report.shown) == {"val", "test"}
    assert report.shown["val"].n == 288
    assert report.shown["val"].after.nll < report.shown["val"].before.nll
    assert report.shown["val"].after.accuracy == report.shown["val"].before.accuracy
    assert all(torch.equal(weights[name], tensor) for name, tensor in read_weights(run / "best").items())


def test_the_figures_are_those_that_evaluate_and_its_table_give(run, tmp_path):
    report = api.calibrate(run, precision=0.9)
    for part in ("val", "test"):
        measured = api.evaluate(run, split=part, output=tmp_path / "out").measures
        after = report.shown[part].after
        assert measured.values["loss"] == pytest.approx(after.nll, abs=1e-6)
        assert measured.values["ece"] == pytest.approx(after.ece, abs=1e-6)
        assert measured.values["accuracy"] == after.accuracy
    with (tmp_path / "out" / "predictions_test.csv").open() as file:
        rows = list(csv.DictReader(file))
    confidence = np.array([float(row["confidence"]) for row in rows])
    right = np.array([row["target"] == row["prediction"] for row in rows])
    passed = confidence >= report.rejection.threshold
    assert report.shown["test"].accepted.accepted == passed.sum()
    assert report.shown["test"].accepted.right == (passed & right).sum()
    ece = reliability(confidence, right, 15).expected_calibration_error
    assert report.shown["test"].after.ece == pytest.approx(ece, abs=1e-6)


def test_a_second_time_finds_the_same_and_a_dry_run_writes_nothing(run):
    before = (run / "best" / "bundle.json").read_bytes()
    dry = api.calibrate(run, dry_run=True)
    assert not dry.written
    assert (run / "best" / "bundle.json").read_bytes() == before
    first = api.calibrate(run)
    second = api.calibrate(run / "best")
    assert second.previous == first.temperature == second.temperature == dry.temperature
    assert second.rejection == first.rejection


def test_test_images_choose_nothing(run):
    with pytest.raises(DataError, match="split=test: the test set never"):
        api.calibrate(run, split="test")
    with pytest.raises(DataError, match="split=all: digits has test images"):
        api.calibrate(run, split="all")


def test_train_images_are_a_warning(run):
    report = api.calibrate(run, split="train", dry_run=True)
    assert report.notes[0].startswith("warning: fitted on train images")


def test_a_precision_that_nothing_reaches(run, capsys):
    assert cli.main(["calibrate", str(run), "--precision", "0.9999", "--confident"]) == 1
    assert "none reaches" in capsys.readouterr().out
    info = read_info(run / "best")
    assert info.reject_threshold is None
    assert info.temperature is not None


def test_the_command_prints_json_or_text(run, capsys):
    assert cli.main(["calibrate", str(run), "--precision", "0.9", "--dry-run", "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["written"] is False
    assert len(values["classes"]) == 10
    assert values["test"]["accepted"] <= values["test"]["n"] == 359
    assert cli.main(["calibrate", str(run), "--precision", "0.9", "--classes"]) == 0
    out = capsys.readouterr().out
    assert "somewhat optimistic; those on the test set are not" in out
    assert "G-mean" in out


@pytest.mark.parametrize("precision", [0.0, 1.5, -1.0])
def test_a_precision_that_is_none(run, precision, capsys):
    with pytest.raises(RunError, match="precision="):
        api.calibrate(run, precision=precision)
    assert cli.main(["calibrate", str(run), "--precision", str(precision)]) == 2
    assert "--precision takes a share" in capsys.readouterr().err


def test_binary_answers_may_move_with_a_threshold_of_ones_own(tmp_path):
    report = api.calibrate(_save(tmp_path / "bundle", "binary", threshold=0.7), *DATA)
    assert report.temperature > 1
    assert "decision threshold 0.7 stays" in report.notes[-1]
    plain = api.calibrate(_save(tmp_path / "plain", "binary"), *DATA)
    assert plain.notes == ()
    assert plain.shown["val"].before.accuracy == plain.shown["val"].after.accuracy


def test_classifiers_divide_by_the_temperature(tmp_path):
    bundle = _save(tmp_path / "bundle")
    images = [np.full((8, 8, 1), 40, np.uint8)]
    plain = load_classifier(bundle).logits(images, [0], batch_size=1, threads=0)
    update_info(bundle, replace(read_info(bundle), temperature=2.5))
    calibrated = load_classifier(bundle).logits(images, [0], batch_size=1, threads=0)
    np.testing.assert_allclose(calibrated, plain / 2.5, rtol=1e-6)
