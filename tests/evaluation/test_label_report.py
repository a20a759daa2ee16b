"""What is said of labels: of several an image, of many classes, without suspects."""

import csv
from pathlib import Path

import numpy as np
import pytest

from data.made_sources import made_source
from vernier.data.splits import Split
from vernier.errors import DataError
from vernier.evaluation.confident_learning import find_label_errors
from vernier.evaluation.label_gallery import write_gallery
from vernier.evaluation.label_report import LabelReport, write_list_without, write_suspects
from vernier.evaluation.label_text import label_text


def judged(source, probabilities, directory, checked=None) -> LabelReport:
    positions = np.arange(len(source.targets)) if checked is None else checked
    errors = find_label_errors(source.targets[positions], probabilities)
    nobody = np.array([], np.int64)
    return LabelReport(source, Split(positions, nobody, nobody), positions, positions % 3, errors, directory)


def several_labels(directory: Path) -> LabelReport:
    targets = np.array([[1, 0], [0, 1], [1, 1], [0, 0]] * 5, np.uint8)
    probabilities = np.where(targets == 1, 0.9, 0.1)
    # The first of them is really both, the last of them the first one only.
    probabilities[0, 1], probabilities[19, 0] = 0.95, 0.98
    return judged(made_source(targets, names=("ant", "b<e>e")), probabilities, directory)


def test_several_labels_are_joined_and_none_is_a_word(tmp_path):
    report = several_labels(tmp_path)
    write_suspects(report)
    rows = list(csv.DictReader(report.csv_file.read_text().splitlines()))
    assert [(row["path"], row["label"], row["suggested"]) for row in rows[:2]] == [
        ("019.png", "", "ant"),
        ("000.png", "ant", "ant|b<e>e"),
    ]
    assert [row["suspect"] for row in rows] == ["1"] * 2 + ["0"] * 18
    assert float(rows[0]["p_given"]) == pytest.approx(0.02)
    assert float(rows[0]["p_suggested"]) == pytest.approx(0.98)
    text = label_text(report)
    assert "of the decisions are wrong; 2 suspects; 90.0" in text
    assert "019.png           none  0.020        ant  0.980" in text


def test_names_are_text_in_the_gallery(tmp_path):
    write_gallery(several_labels(tmp_path))
    page = (tmp_path / "gallery.html").read_text()
    assert "b&lt;e&gt;e" in page
    assert "<e>" not in page


def test_many_classes_are_shown_by_their_suspects(tmp_path):
    targets = np.repeat(np.arange(40), 4)
    probabilities = np.full((160, 40), 0.1 / 39) + (0.9 - 0.1 / 39) * np.eye(40)[targets]
    probabilities[156] = probabilities[0]
    names = tuple(f"class {number:02d}" for number in range(40))
    text = label_text(judged(made_source(targets, names=names), probabilities, tmp_path))
    assert text.index("class 39") < text.index("class 00")
    assert "and 10 classes with no more suspects each" in text


def test_without_suspects_there_are_no_pictures(tmp_path):
    targets = np.array([0, 1, 2] * 4)
    report = judged(made_source(targets), np.full((12, 3), 0.05) + 0.85 * np.eye(3)[targets], tmp_path)
    write_gallery(report)
    assert "No label is a suspect." in (tmp_path / "gallery.html").read_text()
    assert "most suspicious" not in label_text(report)
    assert report.to_json()["suspects"] == []


def test_images_that_are_not_judged_are_counted(tmp_path):
    source, checked = made_source([0, 1] * 6, names=("ant", "bee")), np.arange(2, 12)
    report = judged(source, np.full((10, 2), 0.1) + 0.8 * np.eye(2)[source.targets[checked]], tmp_path, checked)
    assert "10 images, each judged by a network that was not trained on it; 2 others left alone" in label_text(report)
    assert report.to_json()["not_checked"] == 2


def test_a_list_is_of_files(tmp_path):
    with pytest.raises(DataError, match="a list is of image files, and made has none"):
        write_list_without(tmp_path / "list.csv", several_labels(tmp_path), None)
