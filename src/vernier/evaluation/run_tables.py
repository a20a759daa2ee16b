"""The CSV files of a run directory, read into typed rows.

File names that are not UTF-8 keep their bytes as surrogates, as everywhere in Python.
"""

import csv
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from vernier.errors import RunError

Row = TypeVar("Row")


@dataclass(frozen=True)
class Series:
    """One curve: `name` is train, val or lr; a value an epoch, NaN where there is none."""

    name: str
    values: tuple[float, ...]


@dataclass(frozen=True)
class Panel:
    """The curves that share one pair of axes; `metric` is what the vertical axis shows."""

    metric: str
    series: tuple[Series, ...]


@dataclass(frozen=True)
class Curves:
    """metrics.csv: the values of each column, one an epoch."""

    columns: Mapping[str, tuple[float, ...]]

    @property
    def epochs(self) -> tuple[float, ...]:
        """The epochs' numbers."""
        return self.columns["epoch"]

    def panels(self) -> tuple[Panel, ...]:
        """Loss, accuracy and learning rate, as far as they are there."""
        pairs = [Panel(metric, self._pair(metric)) for metric in ("loss", "accuracy")]
        panels = [*pairs, Panel("lr", self._existing({"lr": "lr"}))]
        return tuple(panel for panel in panels if panel.series)

    def _pair(self, metric: str) -> tuple[Series, ...]:
        """The training and validation curves; the accuracy of several labels is called exact match."""
        val = f"val_{metric}"
        if metric == "accuracy" and val not in self.columns:
            val = "val_exact_match"
        return self._existing({"train": f"train_{metric}", "val": val})

    def _existing(self, columns: Mapping[str, str]) -> tuple[Series, ...]:
        return tuple(Series(name, self.columns[column]) for name, column in columns.items() if column in self.columns)


@dataclass(frozen=True)
class Confusion:
    """confusion_matrix.csv: `counts[i, j]` images of class i were predicted as class j."""

    classes: tuple[str, ...]
    counts: npt.NDArray[np.int64]

    def shares(self) -> npt.NDArray[np.float64]:
        """Each row divided by its sum, float64; 0 in the rows of classes without images."""
        totals: npt.NDArray[np.int64] = self.counts.sum(axis=1, keepdims=True)
        return self.counts / np.maximum(totals, 1)


@dataclass(frozen=True)
class ClassRow:
    """A row of per_class.csv; a measure that is not defined is NaN."""

    split: str
    name: str
    n: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Prediction:
    """A row of predictions_*.csv without the single probabilities."""

    path: str
    target: str
    prediction: str
    confidence: float
    loss: float

    @property
    def is_right(self) -> bool:
        """Whether the prediction is the target; multilabel: every label of it."""
        return self.target == self.prediction


def read_curves(path: Path) -> Curves:
    """Read metrics.csv.

    Raises:
        RunError: the file is missing or damaged.
    """
    header, rows = _read(path, lambda cells: [_number(cell) for cell in cells])
    return Curves({name: tuple(row[column] for row in rows) for column, name in enumerate(header)})


def read_confusion(path: Path) -> Confusion:
    """Read confusion_matrix.csv.

    Raises:
        RunError: the file is missing or damaged.
    """
    header, rows = _read(path, lambda cells: [int(cell) for cell in cells[1:]])
    return Confusion(tuple(header[1:]), np.array(rows, dtype=np.int64))


def read_per_class(path: Path) -> tuple[ClassRow, ...]:
    """Read per_class.csv.

    Raises:
        RunError: the file is missing or damaged.
    """
    _, rows = _read(path, _class_row)
    return tuple(rows)


def read_predictions(path: Path) -> tuple[Prediction, ...]:
    """Read predictions_val.csv or predictions_test.csv.

    Raises:
        RunError: the file is missing or damaged.
    """
    _, rows = _read(path, _prediction)
    return tuple(rows)


def _class_row(cells: list[str]) -> ClassRow:
    split, name, n, *measures = cells
    precision, recall, f1 = map(_number, measures)
    return ClassRow(split, name, int(n), precision, recall, f1)


def _prediction(cells: list[str]) -> Prediction:
    path, target, prediction, confidence, loss, *_ = cells
    return Prediction(path, target, prediction, _number(confidence), _number(loss))


def _read(path: Path, convert: Callable[[list[str]], Row]) -> tuple[list[str], list[Row]]:
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            lines = csv.reader(file)
            header = next(lines, [])
            return header, [_convert(line, len(header), convert) for line in lines]
    except OSError as error:
        raise RunError(f"{path}: not readable: {error.strerror}; name a run directory that has it") from None
    except ValueError as error:
        raise RunError(f"{path}: damaged: {error}; run `vernier evaluate` to write it again") from None


def _convert(line: list[str], width: int, convert: Callable[[list[str]], Row]) -> Row:
    if len(line) != width:
        raise ValueError(f"a row has {len(line)} cells where the header has {width}")
    return convert(line)


def _number(cell: str) -> float:
    return float(cell) if cell else math.nan
