import csv

import numpy as np
import pytest

from vernier.config.evaluate import EvaluateConfig
from vernier.evaluation.metrics import measure, probabilities_of, sample_losses
from vernier.evaluation.run_tables import read_confusion, read_per_class, read_predictions
from vernier.evaluation.tables import (
    measures_table,
    per_class_table,
    write_confusion_matrix,
    write_per_class,
    write_predictions,
)
from vernier.models.task import make_task

NAMES = ('cat, "grey"', "dog\nbrown", "=owl")
KEYS = ("a/1.jpg", 'a/"quoted", name.jpg', "b/\udcff.jpg", "été.jpg")


@pytest.fixture
def logits() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32) * 5


def _rows(path):
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        return list(csv.DictReader(file))


def test_predictions_give_the_numbers_back_exactly(tmp_path, logits):
    task, targets = make_task("multiclass", NAMES), np.array([0, 1, 2, 1])
    path = tmp_path / "predictions_val.csv"
    write_predictions(path, KEYS, logits, targets, task)
    rows = _rows(path)
    assert list(rows[0]) == ["path", "target", "prediction", "confidence", "loss", *(f"p_{n}" for n in NAMES)]
    assert tuple(row["path"] for row in rows) == KEYS
    assert [row["target"] for row in rows] == [NAMES[target] for target in targets]
    assert [row["prediction"] for row in rows] == [NAMES[place] for place in logits.argmax(axis=1)]
    probabilities = probabilities_of(logits, task)
    read = np.array([[row[f"p_{name}"] for name in NAMES] for row in rows], np.float32)
    np.testing.assert_array_equal(read, probabilities)
    np.testing.assert_array_equal(np.array([row["confidence"] for row in rows], np.float32), probabilities.max(axis=1))
    np.testing.assert_array_equal(
        np.array([row["loss"] for row in rows], np.float32), sample_losses(logits, targets, task)
    )


def test_multilabel_predictions_join_labels(tmp_path, logits):
    task, targets = make_task("multilabel", ("a", "b", "c")), np.array([[1, 0, 1], [0, 0, 0], [1, 1, 1], [0, 1, 0]])
    path = tmp_path / "predictions.csv"
    write_predictions(path, ["1", "2", "3", "4"], logits, targets.astype(np.uint8), task)
    rows = read_predictions(path)
    assert [row.target for row in rows] == ["a|c", "", "a|b|c", "b"]
    expected = ["|".join(np.array(["a", "b", "c"])[row >= 0]) for row in logits]
    assert [row.prediction for row in rows] == expected


def test_tables_of_classes_are_read_back(tmp_path, logits):
    task = make_task("multiclass", NAMES)
    measures = measure(logits, np.array([0, 1, 2, 1]), task, EvaluateConfig())
    write_per_class(tmp_path / "per_class.csv", {"val": measures, "test": measures})
    rows = read_per_class(tmp_path / "per_class.csv")
    assert [row.split for row in rows] == ["val"] * 3 + ["test"] * 3
    found = [(row.name, row.n, row.precision, row.recall, row.f1) for row in rows[:3]]
    assert found == [(row.name, row.n, row.precision, row.recall, row.f1) for row in measures.per_class]
    write_confusion_matrix(tmp_path / "confusion_matrix.csv", measures.confusion, NAMES)
    confusion = read_confusion(tmp_path / "confusion_matrix.csv")
    assert confusion.classes == NAMES
    np.testing.assert_array_equal(confusion.counts, measures.confusion)


def test_text_says_how_many_images(logits):
    task = make_task("multiclass", ("cat", "dog", "owl"))
    measures = measure(logits, logits.argmax(axis=1), task, EvaluateConfig())
    lines = measures_table(measures).splitlines()
    assert lines[0] == "4 images"
    assert any(line.startswith("Accuracy ") and line.endswith("100.0\u00a0%") for line in lines)
    assert len({len(line) for line in lines[1:]}) == 1
    table = per_class_table(measures).splitlines()
    assert table[0].split() == ["class", "n", "precision", "recall", "F1"]
    assert len(table) == 4
