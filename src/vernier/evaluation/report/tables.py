"""The report's tables: what stands in each cell, and by which value it sorts."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from vernier.evaluation.calibration import Reliability
from vernier.evaluation.report.run_data import Measures, Result
from vernier.evaluation.run_tables import ClassRow, Confusion
from vernier.evaluation.words import decimal, metric_label, metric_value, percent, whole

SPLIT_WORDS = {"train": "training", "val": "validation", "test": "test"}
_MOST_CONFUSIONS = 20
Kind = Literal["right", "wrong", "none"]


@dataclass(frozen=True)
class Cell:
    """Text, and for numbers the value that the column sorts by; NaN sorts last either way."""

    text: str
    value: float | None = None


Row = tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """A table; the first cell of each row is its header. `total` stays below when a reader sorts the rows."""

    id: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    total: Row | None = None
    is_sortable: bool = True


@dataclass(frozen=True)
class HeatCell:
    """A cell of the confusion matrix: its count, its share of the row in words, and how strongly it is tinted.

    `kind` is none for a count of 0.
    """

    count: str
    title: str
    tint: float
    kind: Kind


@dataclass(frozen=True)
class HeatRow:
    """All predictions of the images of one class."""

    target: str
    cells: tuple[HeatCell, ...]


def metrics_table(result: Result) -> Table:
    """Every metric of the sets that were measured, side by side."""
    sets = {name: measures for name, measures in _measured_sets(result).items() if measures is not None}
    names = dict.fromkeys(name for measures in sets.values() for name in measures if name != "n")
    images = (Cell("Images (n)"), *(_count(_images(measures)) for measures in sets.values()))
    rows = (images, *(_metric_row(name, tuple(sets.values())) for name in names))
    return Table(
        "metrics", "Metrics over whole sets, not averaged over batches", ("Metric", *sets), rows, is_sortable=False
    )


def _measured_sets(result: Result) -> Mapping[str, Measures | None]:
    best, final = result.best, result.final
    sets: dict[str, Measures | None] = {"Test": result.test}
    if best is not None:
        sets[f"Validation, epoch {best.epoch} (best)"] = best.val
    if final is not None and (best is None or final.epoch != best.epoch):
        sets[f"Validation, epoch {final.epoch} (last)"] = final.val
    return sets


def _metric_row(name: str, sets: Sequence[Measures]) -> Row:
    return (Cell(metric_label(name)), *(_metric(name, measures) for measures in sets))


def _metric(name: str, measures: Measures) -> Cell:
    value = measures.get(name)
    number = math.nan if value is None else value
    return Cell(metric_value(name, number, _images(measures)), number)


def _images(measures: Measures) -> int:
    return round(measures.get("n") or 0)


def counts_table(result: Result) -> Table:
    """Images of each class in each split."""
    splits = tuple(name for name in SPLIT_WORDS if name in result.counts)
    rows = tuple(
        (Cell(name), *(_count(result.counts[split].get(name, 0)) for split in splits)) for name in result.classes
    )
    total = (Cell("All images"), *(_count(sum(result.counts[split].values())) for split in splits))
    columns = ("Class", *(SPLIT_WORDS[split].capitalize() for split in splits))
    return Table("counts", "Images of each class", columns, rows, None if result.task == "multilabel" else total)


def per_class_table(rows: Sequence[ClassRow], split: str) -> Table:
    """Precision, recall and F1 of each class on one split."""
    body = tuple((Cell(row.name), _count(row.n), *map(_measure, (row.precision, row.recall, row.f1))) for row in rows)
    columns = ("Class", "Images (n)", "Precision", "Recall", "F1")
    return Table("per-class", f"Each class on the {SPLIT_WORDS[split]} set", columns, body)


def heat_rows(confusion: Confusion) -> tuple[HeatRow, ...]:
    """The confusion matrix as a table whose cells are tinted by their share of the row."""
    shares = confusion.shares()
    return tuple(
        HeatRow(
            target,
            tuple(_heat_cell(confusion, shares, row, column) for column in range(len(confusion.classes))),
        )
        for row, target in enumerate(confusion.classes)
    )


def _heat_cell(confusion: Confusion, shares: np.ndarray, row: int, column: int) -> HeatCell:
    count, share = int(confusion.counts[row, column]), float(shares[row, column])
    names = f"{confusion.classes[row]} → {confusion.classes[column]}"
    # A square root lets rare confusions be seen.
    tint = share if row == column else math.sqrt(share)
    kind: Kind = "none" if count == 0 else "right" if row == column else "wrong"
    return HeatCell(whole(count), f"{names}: {percent(share)}", round(tint, 3), kind)


def confusions_table(confusion: Confusion) -> Table:
    """The most frequent confusions of two classes."""
    wrong = confusion.counts.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:_MOST_CONFUSIONS]
    pairs = [(int(row), int(column)) for row, column in zip(*np.unravel_index(order, wrong.shape), strict=True)]
    shares = confusion.shares()
    rows = tuple(
        (
            Cell(confusion.classes[row]),
            Cell(confusion.classes[column]),
            _count(int(wrong[row, column])),
            _share(shares[row, column]),
        )
        for row, column in pairs
        if wrong[row, column]
    )
    columns = ("Target", "Prediction", "Images (n)", "Share of the target's")
    return Table("confusions", "The largest confusions", columns, rows)


def bins_table(result: Reliability) -> Table:
    """The numbers behind the reliability chart, without empty bins."""
    bins = len(result.counts)
    rows = tuple(
        (
            Cell(f"{percent(place / bins)} to {percent((place + 1) / bins)}", place / bins),
            _count(int(result.counts[place])),
            _share(result.confidence[place]),
            _share(result.accuracy[place]),
        )
        for place in map(int, np.flatnonzero(result.counts))
    )
    columns = ("Confidence", "Images (n)", "Mean confidence", "Right")
    return Table("bins", "Confidence and accuracy", columns, rows)


def versions_table(result: Result) -> Table:
    """What the run was made with."""
    rows = tuple((Cell(name), Cell(version)) for name, version in result.versions.items())
    return Table("versions", "Versions", ("Package", "Version"), rows, is_sortable=False)


def _count(number: int) -> Cell:
    return Cell(whole(number), number)


def _share(value: float) -> Cell:
    return Cell(percent(value), float(value))


def _measure(value: float) -> Cell:
    return Cell(decimal(value, 3), value)
