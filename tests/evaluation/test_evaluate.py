import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from vernier.augment.preprocess import compile_preprocessing
from vernier.config.augment import Normalize, Resize
from vernier.config.data import DataConfig
from vernier.config.evaluate import EvaluateConfig
from vernier.data.sources import open_source
from vernier.data.splits import save_split, split_source
from vernier.errors import DataError, TrainingError
from vernier.evaluation.evaluate import EvaluationReport, evaluate_bundle
from vernier.evaluation.run_tables import read_predictions
from vernier.models.architecture import Architecture
from vernier.models.bundle import BundleInfo, save_bundle
from vernier.models.providers import build_model
from vernier.models.task import make_task

CLASSES = ("flower", "china", "rose")
EVALUATE = EvaluateConfig()


def _save(directory: Path, task: str = "multiclass", classes: tuple[str, ...] = CLASSES) -> Path:
    torch.manual_seed(0)
    outputs = make_task(task, classes).num_outputs
    architecture = Architecture("zoo", "digits_cnn", {}, outputs, 3, (16, 16))
    operations = [Resize(size=16), Normalize(mean=0.5, std=0.5)]
    preprocessing = compile_preprocessing(operations, channels=3, fill=0, interpolation="bilinear")
    info = BundleInfo(architecture, classes, task, preprocessing.to_json(), 0.5, None, {}, {})
    save_bundle(directory, build_model(architecture), info)
    return directory


def _data(folder: Path, **values) -> DataConfig:
    return DataConfig(source=str(folder), threads=1, batch_size=5, **values)


def _evaluate(bundle: Path, folder: Path, split: str | None = None, **values) -> EvaluationReport:
    return evaluate_bundle(bundle, _data(folder, **values), EVALUATE, split=split)


@pytest.fixture
def bundle(tmp_path) -> Path:
    return _save(tmp_path / "bundle")


@pytest.fixture
def with_test(class_folders) -> Path:
    """The same images under test/ (4 of each class) and train/ (8 of each)."""
    for path in sorted(class_folders.glob("*/*.jpg")):
        part = "test" if int(path.stem[-2:]) < 4 else "train"
        target = class_folders / part / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    for name in ("china", "flower"):
        (class_folders / name).rmdir()
    return class_folders


def test_classes_are_matched_by_name(bundle, class_folders, tmp_path):
    output = tmp_path / "out"
    report = evaluate_bundle(bundle, _data(class_folders), EVALUATE, output=output)
    assert report.which == "Measured on all 24 images of photos, which has none of rose."
    assert report.missing_classes == ("rose",)
    assert report.measures.confusion.sum(axis=1).tolist() == [12, 12, 0]
    rows = read_predictions(output / "predictions_all.csv")
    assert len(rows) == 24
    assert all(row.path.split("/")[0] == row.target for row in rows)
    right = np.mean([row.is_right for row in rows])
    assert report.measures.values["accuracy"] == pytest.approx(right)
    assert report.measures.values["loss"] == pytest.approx(np.mean([row.loss for row in rows]))
    assert {path.name for path in output.iterdir()} == {
        *("predictions_all.csv", "per_class.csv", "confusion_matrix.csv"),
    }
    values = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert values["n"] == 24
    assert values["missing_classes"] == ["rose"]


def test_test_images_are_measured_where_there_are_some(bundle, with_test):
    report = _evaluate(bundle, with_test)
    assert report.which.startswith("Measured on 8 test images of photos")
    assert report.measures.n == 8


@pytest.mark.parametrize(("split", "n"), [("train", 16), ("test", 8), ("all", 24)])
def test_a_split_by_name(bundle, with_test, split, n):
    report = _evaluate(bundle, with_test, split)
    assert (report.part, report.measures.n) == (split, n)


def test_a_split_that_is_not_there(bundle, with_test):
    with pytest.raises(DataError, match="split=val: photos has no val images"):
        _evaluate(bundle, with_test, "val")
    with pytest.raises(DataError, match="split=tset: choose train, val, test or all"):
        _evaluate(bundle, with_test, "tset")


def test_a_run_is_measured_on_its_own_validation_images(tmp_path, class_folders):
    _save(tmp_path / "run" / "best")
    source = open_source(_data(class_folders))
    split = split_source(source, _data(class_folders))
    save_split(tmp_path / "run" / "split.csv", source, split)
    for path in (tmp_path / "run", tmp_path / "run" / "best"):
        report = _evaluate(path, class_folders)
        assert (report.part, report.measures.n) == ("val", len(split.val))
    assert _evaluate(tmp_path / "run", class_folders, "train").measures.n == len(split.train)
    next(class_folders.glob("china/*.jpg")).unlink()
    assert _evaluate(tmp_path / "run", class_folders).part == "all"


def test_a_class_that_the_bundle_does_not_know(bundle, class_folders):
    (class_folders / "flower").rename(class_folders / "flowers")
    with pytest.raises(DataError, match=r"does not know: flowers\. Did you mean 'flower'\?.*data\.class_names"):
        _evaluate(bundle, class_folders)


def test_all_unreadable_images_are_listed_or_left_out(bundle, class_folders):
    for number in (3, 7):
        (class_folders / "china" / f"china_{number:02d}.jpg").write_bytes(b"not an image")
    with pytest.raises(DataError, match=r"(?s)2 of 24 images.*china_03.*china_07.*data\.on_bad_image=skip"):
        _evaluate(bundle, class_folders)
    report = _evaluate(bundle, class_folders, on_bad_image="skip")
    assert report.measures.n == 22
    assert [Path(error.path).name for error in report.unreadable] == ["china_03.jpg", "china_07.jpg"]


def test_the_threshold_is_the_bundles_unless_it_is_set(tmp_path, class_folders):
    bundle = _save(tmp_path / "binary", "binary", ("china", "flower"))
    data = _data(class_folders)
    recalls = [
        evaluate_bundle(bundle, data, evaluate).measures.values["recall"]
        for evaluate in (EvaluateConfig(threshold=0.0), EvaluateConfig(threshold=1.0))
    ]
    assert recalls == [1.0, 0.0]


def test_multilabel_targets_follow_the_bundles_order(tmp_path, class_folders):
    bundle = _save(tmp_path / "multilabel", "multilabel", ("none", "red", "blue"))
    table = tmp_path / "labels.csv"
    table.write_text("path,label\nchina/china_00.jpg,blue|red\nflower/flower_01.jpg,blue\n")
    output = tmp_path / "out"
    report = evaluate_bundle(bundle, _data(table, root=str(class_folders)), EVALUATE, output=output)
    assert [row.target for row in read_predictions(output / "predictions_all.csv")] == ["red|blue", "blue"]
    assert [row.n for row in report.measures.per_class] == [0, 1, 2]
    assert not (output / "confusion_matrix.csv").exists()


def test_weights_that_are_not_finite_are_an_error(tmp_path, class_folders):
    architecture = Architecture("zoo", "digits_cnn", {}, 3, 3, (16, 16))
    bundle = _save(tmp_path / "broken")
    module = build_model(architecture)
    with torch.no_grad():
        list(module.parameters())[-1].fill_(float("nan"))
    operations = [Resize(size=16), Normalize(mean=0.5, std=0.5)]
    preprocessing = compile_preprocessing(operations, channels=3, fill=0, interpolation="bilinear")
    info = BundleInfo(architecture, CLASSES, "multiclass", preprocessing.to_json(), 0.5, None, {}, {})
    save_bundle(bundle, module, info)
    with pytest.raises(TrainingError, match="24 of 24 images are not finite"):
        _evaluate(bundle, class_folders)


def test_grey_bundles_read_grey(tmp_path, photos):
    architecture = Architecture("zoo", "digits_cnn", {}, 2, 1, (16, 16))
    preprocessing = compile_preprocessing([Resize(size=16)], channels=1, fill=0, interpolation="bilinear")
    info = BundleInfo(architecture, ("a", "b"), "multiclass", preprocessing.to_json(), 0.5, None, {}, {})
    save_bundle(tmp_path / "grey", build_model(architecture), info)
    for name in ("a", "b"):
        (tmp_path / "data" / name).mkdir(parents=True)
        Image.fromarray(photos["china"][:40, :60]).save(tmp_path / "data" / name / "1.png")
    assert _evaluate(tmp_path / "grey", tmp_path / "data").measures.n == 2
