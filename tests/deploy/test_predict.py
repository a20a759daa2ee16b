import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from vernier import api
from vernier.augment.preprocess import compile_preprocessing
from vernier.config.augment import Normalize, Resize
from vernier.config.data import DataConfig
from vernier.config.evaluate import EvaluateConfig
from vernier.deploy.find_images import find_images
from vernier.deploy.predict import PredictSettings, predict
from vernier.deploy.prediction_text import to_json, to_text, write_csv, write_json_lines
from vernier.deploy.predictions import Failure
from vernier.errors import DataError
from vernier.evaluation.evaluate import evaluate_bundle
from vernier.models.architecture import Architecture
from vernier.models.bundle import BundleInfo, load_bundle, save_bundle, update_info
from vernier.models.providers import build_model
from vernier.models.task import make_task

CLASSES = ("flower", "china", "rose, red")


def _save(directory: Path, task: str = "multiclass", threshold: float = 0.5, temperature: float | None = None) -> Path:
    torch.manual_seed(0)
    names = CLASSES[:2] if task == "binary" else CLASSES
    architecture = Architecture("zoo", "digits_cnn", {}, make_task(task, names).num_outputs, 3, (16, 16))
    operations = [Resize(size=16), Normalize(mean=0.5, std=0.5)]
    preprocessing = compile_preprocessing(operations, channels=3, fill=0, interpolation="bilinear")
    info = BundleInfo(architecture, names, task, preprocessing.to_json(), threshold, temperature, {}, {})
    save_bundle(directory, build_model(architecture), info)
    return directory


@pytest.fixture
def bundle(tmp_path) -> Path:
    return _save(tmp_path / "bundle")


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_numbers_are_those_of_evaluate(bundle, class_folders, tmp_path):
    data = DataConfig(source=str(class_folders), threads=1, batch_size=7)
    evaluate_bundle(bundle, data, EvaluateConfig(), output=tmp_path / "out")
    expected = {str(class_folders / row["path"]): row for row in _read(tmp_path / "out" / "predictions_all.csv")}
    result = predict(bundle, [class_folders], batch_size=7, threads=2)
    write_csv(tmp_path / "predictions.csv", result, probabilities=True)
    rows = _read(tmp_path / "predictions.csv")
    assert len(rows) == 24
    for row in rows:
        same = expected[row.pop("path")]
        assert row.items() <= same.items()
    single = predict(bundle, [class_folders], batch_size=1, threads=0)
    for one, row in zip(single.rows, result.rows, strict=True):
        np.testing.assert_allclose(one.probabilities, row.probabilities, atol=1e-5)


def test_unreadable_files_do_not_stop_the_others(bundle, class_folders, tmp_path):
    good = sorted(class_folders.glob("china/*.jpg"))[:3]
    text, empty, cut = (tmp_path / name for name in ("text.jpg", "empty.png", "cut.jpg"))
    text.write_text("hello")
    empty.touch()
    cut.write_bytes(good[0].read_bytes()[:900])
    alone = predict(bundle, good, batch_size=4)
    result = predict(bundle, [good[0], text, good[1], empty, cut, good[2]], batch_size=4)
    assert [row.path for row in result.rows] == [str(path) for path in good]
    assert [failure.path for failure in result.failures] == [str(text), str(empty), str(cut)]
    assert all(failure.reason for failure in result.failures)
    for one, other in zip(alone.rows, result.rows, strict=True):
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-5)
    lines = to_text(result).splitlines()
    assert lines[-4] == "3 files can't be read:"
    assert str(empty) in lines[-2]


def test_only_unreadable_files(bundle, tmp_path):
    (tmp_path / "a.jpg").write_text("hello")
    result = predict(bundle, [tmp_path / "a.jpg"])
    assert result.rows == ()
    assert to_text(result).startswith("1 file can't be read:")
    write_csv(tmp_path / "out.csv", result)
    assert (tmp_path / "out.csv").read_text() == "path,prediction,confidence\n"


def test_top_k_is_ranked(bundle, class_folders, tmp_path):
    result = predict(bundle, [class_folders / "flower"], top_k=2)
    for row in result.rows:
        order = np.argsort(-row.probabilities)
        assert [name for name, _ in row.top] == [CLASSES[place] for place in order[:2]]
        assert row.top[0] == (row.prediction, row.confidence)
    write_csv(tmp_path / "out.csv", result, probabilities=True)
    rows = _read(tmp_path / "out.csv")
    assert list(rows[0]) == [
        *("path", "prediction", "confidence", "top1", "p_top1", "top2", "p_top2"),
        *(f"p_{name}" for name in CLASSES),
    ]
    assert rows[0]["top2"] == result.rows[0].top[1][0]
    assert np.float32(rows[0]["p_top2"]) == result.rows[0].top[1][1]
    assert "top 2" in to_text(result).splitlines()[0]


def test_json_lines_hold_what_to_json_gives(bundle, class_folders, tmp_path):
    result = predict(bundle, [class_folders / "china"])
    write_json_lines(tmp_path / "out.jsonl", result, probabilities=True)
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert rows == to_json(result, probabilities=True)["predictions"]
    assert rows[0]["probabilities"].keys() == set(CLASSES)
    assert np.float32(rows[0]["confidence"]) == result.rows[0].confidence
    assert "probabilities" not in to_json(result)["predictions"][0]


@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_multilabel_names_the_labels_above_the_threshold(tmp_path, class_folders, threshold):
    bundle = _save(tmp_path / "bundle", "multilabel", threshold)
    expected = "|".join(CLASSES) if threshold == 0 else ""
    assert {row.prediction for row in predict(bundle, [class_folders]).rows} == {expected}


@pytest.mark.parametrize(("threshold", "expected"), [(0.0, "china"), (1.0, "flower")])
def test_binary_goes_by_the_threshold(tmp_path, class_folders, threshold, expected):
    bundle = _save(tmp_path / "bundle", "binary", threshold)
    row = predict(bundle, [class_folders / "china"]).rows[0]
    assert row.prediction == expected
    assert row.confidence == row.probabilities[CLASSES.index(expected)]


def test_temperature_divides_the_logits(tmp_path, class_folders):
    plain = predict(_save(tmp_path / "plain"), [class_folders]).rows
    soft = predict(_save(tmp_path / "soft", temperature=2.0), [class_folders]).rows
    for one, other in zip(plain, soft, strict=True):
        roots = np.sqrt(one.probabilities)
        np.testing.assert_allclose(other.probabilities, roots / roots.sum(), atol=1e-6)


def test_inputs_are_files_directories_and_patterns(class_folders, monkeypatch):
    monkeypatch.chdir(class_folders.parent)
    folder = Path(class_folders.name)
    (folder / "china" / "notes.txt").write_text("no image")
    (folder / ".hidden").mkdir()
    shutil.copy(folder / "china" / "china_00.jpg", folder / ".hidden" / "a.jpg")
    shutil.copy(folder / "china" / "china_00.jpg", folder / "china" / ".b.jpg")
    everything = find_images([folder])
    assert len(everything) == 24
    assert everything == sorted(everything)
    assert find_images([folder / "*" / "*_01.jpg"]) == ["photos/china/china_01.jpg", "photos/flower/flower_01.jpg"]
    assert find_images([Path("phot*")]) == everything
    assert find_images([folder / "flower" / "flower_03.jpg", folder])[0] == "photos/flower/flower_03.jpg"
    assert len(find_images([folder, folder / "china"])) == 24
    assert find_images([folder / "china" / "notes.txt"]) == ["photos/china/notes.txt"]


def test_a_file_whose_name_looks_like_a_pattern(class_folders):
    path = class_folders / "a[1].jpg"
    shutil.copy(class_folders / "china" / "china_00.jpg", path)
    assert find_images([path]) == [str(path)]


@pytest.mark.parametrize(
    ("name", "message"),
    [("absent.jpg", "no such file or directory"), ("*.gif", "no file has a name like this"), (".", "no images in")],
)
def test_inputs_that_stand_for_nothing(tmp_path, name, message):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=message):
        find_images([tmp_path / "empty" / name])


def test_larger_images_than_allowed_are_failures(bundle, class_folders):
    result = predict(bundle, [class_folders / "china"], max_pixels=200 * 170)
    assert {Path(failure.path).name for failure in result.failures} >= {"china_11.jpg"}
    assert {Path(row.path).name for row in result.rows} >= {"china_00.jpg"}


def test_a_stream_gives_what_predict_gives(bundle, class_folders):
    (class_folders / "china" / "china_05.jpg").write_text("no image")
    settings = PredictSettings(batch_size=5, threads=2, top_k=2)
    stream = api.predict_stream(bundle, [str(class_folders)], settings)
    first = next(stream)
    assert first.path.endswith("china_00.jpg")
    answers = [first, *stream]
    result = api.predict(bundle, [class_folders], batch_size=5, top_k=2)
    assert [answer.path for answer in answers if isinstance(answer, Failure)] == [result.failures[0].path]
    rows = [answer for answer in answers if not isinstance(answer, Failure)]
    assert [(row.path, row.top) for row in rows] == [(row.path, row.top) for row in result.rows]


def test_a_bundles_own_threshold_rejects(bundle, class_folders, tmp_path):
    _, info = load_bundle(bundle)
    update_info(bundle, replace(info, reject_threshold=1.0))
    rows = list(api.predict_stream(bundle, [class_folders]))
    assert {row.prediction for row in rows} == {"unknown"}
    assert {row.guess for row in rows} <= set(CLASSES)
    assert not any(row.rejected for row in api.predict_stream(bundle, [class_folders], PredictSettings(reject=0)))
