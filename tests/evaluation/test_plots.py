import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from report_runs import write_csv

from vernier.errors import RunError
from vernier.evaluation.plots import plot_confusion, plot_curves


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB")).astype(np.int64)


def near(image: np.ndarray, colour: tuple[int, int, int]) -> int:
    """How many pixels have about this colour."""
    return int((np.abs(image - np.array(colour)).max(axis=2) < 12).sum())


VAL_BLUE = (11, 98, 184)


def test_curves_show_training_and_validation(tmp_path):
    header = ["epoch", "step", "lr", "train_loss", "train_accuracy", "val_loss", "val_accuracy"]
    rows = [[e, 10 * e, 0.1 / e, 2 / e, 1 - 0.5 / e, 2.2 / e, 1 - 0.6 / e] for e in range(1, 9)]
    plot_curves(write_csv(tmp_path / "m.csv", header, rows), tmp_path / "all.png")
    plot_curves(write_csv(tmp_path / "m.csv", header[:5], [row[:5] for row in rows]), tmp_path / "train.png")
    assert near(pixels(tmp_path / "all.png"), VAL_BLUE) > 200
    assert near(pixels(tmp_path / "train.png"), VAL_BLUE) == 0
    assert pixels(tmp_path / "all.png").shape == pixels(tmp_path / "train.png").shape


@pytest.mark.parametrize("rows", [[], [[1, 10, 0.1, 2.0, 0.3, 2.1, 0.2]], [[1, 10, 0.1, "nan", 0.3, "", ""]]])
def test_none_or_one_epoch_and_missing_values_can_be_drawn(tmp_path, rows):
    header = ["epoch", "step", "lr", "train_loss", "train_accuracy", "val_loss", "val_accuracy"]
    plot_curves(write_csv(tmp_path / "m.csv", header, rows), tmp_path / "curves.png")
    assert pixels(tmp_path / "curves.png").min() == 0


def confusion_csv(path: Path, counts: np.ndarray, names: list[str]) -> Path:
    return write_csv(path, ["target", *names], [[name, *row] for name, row in zip(names, counts, strict=True)])


@pytest.mark.parametrize("n", [2, 10, *(pytest.param(n, marks=pytest.mark.slow) for n in (30, 100)), 250])
def test_a_confusion_matrix_of_any_size_is_drawn_with_room_for_each_class(tmp_path, n):
    counts = np.eye(n, dtype=int) * 20
    csv = confusion_csv(tmp_path / "c.csv", counts, [f"class number {i} with a long name" for i in range(n)])
    plot_confusion(csv, tmp_path / "c.png")
    image = pixels(tmp_path / "c.png")
    assert 400 < image.shape[0] < 1800
    darkest = near(image, (8, 48, 107))
    side = (darkest / n) ** 0.5
    assert side >= (30 if n <= 30 else 10 if n <= 100 else 4)


def test_the_diagonal_is_dark_and_empty_classes_are_light(tmp_path):
    counts = np.array([[9, 1, 0], [0, 0, 0], [0, 0, 10]])
    plot_confusion(confusion_csv(tmp_path / "c.csv", counts, ["a", "b", "c"]), tmp_path / "c.png")
    image = pixels(tmp_path / "c.png")
    assert near(image, (247, 251, 255)) > near(image, (8, 48, 107)) > 500


def test_names_are_no_formulas_and_need_no_glyph(tmp_path):
    names = ["$x_{$", "🌷", "花", "a\nb", "_", "\\frac", "w" * 300]
    plot_confusion(confusion_csv(tmp_path / "c.csv", np.eye(7, dtype=int), names), tmp_path / "c.png")
    assert pixels(tmp_path / "c.png").shape[0] < 900


def test_no_global_figure_is_made(tmp_path):
    csv = confusion_csv(tmp_path / "c.csv", np.eye(3, dtype=int), ["a", "b", "c"])
    plot_confusion(csv, tmp_path / "c.png")
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or pyplot.get_fignums() == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.csv", "c.png"]


def test_a_missing_file_is_an_error_that_names_it(tmp_path):
    with pytest.raises(RunError, match=r"nothing\.csv: not readable"):
        plot_curves(tmp_path / "nothing.csv", tmp_path / "out.png")
    with pytest.raises(RunError, match=r"nothing\.csv: not readable"):
        plot_confusion(tmp_path / "nothing.csv", tmp_path / "out.png")
