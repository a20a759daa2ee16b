"""What the columns of a table say: paths and labels, and perhaps splits, weights and groups."""

import math
import os.path
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from vernier.config.data import ColumnsConfig, DataConfig
from vernier.data.source import LABEL_SEPARATOR
from vernier.data.sources.listing import ListedFile, Listing
from vernier.data.tables import Table, is_text, not_utf8
from vernier.data.wording import did_you_mean, listed
from vernier.errors import DataError

_YES: Final = ("1", "1.0", "true")
_NO: Final = ("0", "0.0", "false")
_LARGEST_WEIGHT: Final = 1e30
"""What is left of float32's range is for the loss."""


def listing_from_table(table: Table, name: str, root: Path, data: DataConfig) -> Listing:
    """The files that a table lists.

    Several labels are joined by `|`, unless `data.task` says that a sample has one.

    Args:
        table: By the names in `data.columns`.
        name: Of the listing.
        root: Absolute; paths are relative to it.
        data: Says what the columns are called.

    Raises:
        DataError: a column, a label or an image is missing, a path occurs twice, a weight is no number from 0 on.
    """
    columns = data.columns
    keys = _keys(table, root, columns)
    labels, several = _labels(table, data)
    splits = _splits(table, columns)
    weights = _weights(table, columns)
    groups = _groups(table, columns)
    files = tuple(ListedFile(*row) for row in zip(keys, labels, splits, weights, groups, strict=True))
    return Listing(name, root, files, _class_names(table, labels, columns), several, {})


def check_files(table: Table, root: Path, keys: Sequence[str], relative_to: str) -> None:
    """Every image is there, once.

    Args:
        keys: Paths relative to `root`, empty where there is none.
        relative_to: What paths are relative to, for messages.

    Raises:
        DataError: naming the others.
    """
    table.refuse("path is empty", [not key for key in keys])
    counts = Counter(keys)
    table.refuse_cells(
        f"paths that occur twice (join several labels with {LABEL_SEPARATOR})", keys, [counts[key] > 1 for key in keys]
    )
    below = os.path.join(root, "")  # noqa: PTH118
    missing = [not os.path.isfile(below + key) for key in keys]  # noqa: PTH113
    for number, key, absent in zip(table.numbers, keys, missing, strict=True):
        if absent and not is_text(key):
            raise DataError(f"{table.where}: {table.counted} {number}: no such file, and {not_utf8(key)}")
    table.refuse_cells(f"files that are not in {root} ({relative_to})", keys, missing)


def key_of(text: str, root: str) -> str:
    """The path relative to the root, which is absolute, with slashes; empty for an empty path."""
    if not text:
        return ""
    path, below = os.path.normpath(os.path.join(root, text)), os.path.join(root, "")  # noqa: PTH118
    # By far the most paths are below the root, and relpath is slow.
    relative = path[len(below) :] if path.startswith(below) else os.path.relpath(path, root)
    return relative.replace(os.sep, "/")


def split_labels(text: str) -> tuple[str, ...]:
    """The labels that are joined by `|`, none of them empty."""
    return tuple(filter(None, map(str.strip, text.split(LABEL_SEPARATOR))))


def _keys(table: Table, root: Path, columns: ColumnsConfig) -> list[str]:
    keys = [key_of(text, str(root)) for text in table.require(columns.path, "data.columns.path")]
    check_files(table, root, keys, f"paths are relative to data.root, else to {table.where.partition('=')[2]}")
    return keys


def _labels(table: Table, data: DataConfig) -> tuple[list[tuple[str, ...]], bool]:
    """The labels of each row, and whether there may be several."""
    columns = data.columns
    if _label_columns(table, columns) is not None:
        return _indicated_labels(table, data)
    texts = [text.strip() for text in table.column(columns.label)]
    if data.task == "multilabel" or (data.task == "auto" and any(LABEL_SEPARATOR in text for text in texts)):
        return [split_labels(text) for text in texts], True
    table.refuse("no label (data.task=multilabel allows that)", [not text for text in texts])
    return [(text,) for text in texts], False


def _label_columns(table: Table, columns: ColumnsConfig) -> tuple[str, ...] | None:
    """The columns of 0 and 1; None where the labels stand in one column."""
    if columns.labels is not None:
        return columns.labels
    if columns.label in table.columns:
        return None
    others = {columns.path, columns.split, columns.weight, columns.group}
    return tuple(name for name in table.columns if name not in others)


def _indicated_labels(table: Table, data: DataConfig) -> tuple[list[tuple[str, ...]], bool]:
    names = _label_columns(table, data.columns)
    if not names:
        raise DataError(
            f"{table.where}: no column '{data.columns.label}', nor a column of 0 and 1 for each label."
            f"{did_you_mean(data.columns.label, table.columns)} The first line has: {listed(table.columns)}. "
            "data.columns.label or data.columns.labels says which they are"
        )
    for name in names:
        _refuse_other_than_0_and_1(table, name, data.columns)
    indicated = zip(*([cell.strip().casefold() in _YES for cell in table.column(name)] for name in names), strict=True)
    labels = [tuple(name for name, there in zip(names, row, strict=True) if there) for row in indicated]
    several = data.task not in ("multiclass", "binary")
    if not several:
        table.refuse(f"not one label exactly, as data.task={data.task} has it,", [len(row) != 1 for row in labels])
    return labels, several


def _refuse_other_than_0_and_1(table: Table, name: str, columns: ColumnsConfig) -> None:
    cells = table.require(name, "data.columns.labels")
    without = "" if columns.labels is not None else f", which stands for a label without a column '{columns.label}'"
    table.refuse_cells(
        f"other than 0 and 1 in column '{name}'{without}",
        [repr(cell) for cell in cells],
        [cell.strip().casefold() not in (*_YES, *_NO) for cell in cells],
    )


def _class_names(table: Table, labels: Sequence[tuple[str, ...]], columns: ColumnsConfig) -> tuple[str, ...]:
    names = _label_columns(table, columns)
    return tuple(sorted({label for row in labels for label in row} if names is None else names))


def _splits(table: Table, columns: ColumnsConfig) -> list[str]:
    name = columns.split
    if name is None or (name not in table.columns and name == ColumnsConfig().split):
        return [""] * len(table.rows)
    return [text.strip() for text in table.require(name, "data.columns.split")]


def _weights(table: Table, columns: ColumnsConfig) -> list[float] | list[None]:
    if columns.weight is None:
        return [None] * len(table.rows)
    cells = table.require(columns.weight, "data.columns.weight")
    weights = list(map(_weight, cells))
    table.refuse_cells(
        f"weights in column '{columns.weight}' that are not numbers from 0 on",
        [repr(cell) for cell in cells],
        [math.isnan(weight) for weight in weights],
    )
    if weights and not any(weights):
        raise DataError(f"{table.where}: all weights in column '{columns.weight}' are 0, so nothing would be learnt")
    return weights


def _weight(cell: str) -> float:
    """The number in a cell, or NaN if it is no weight."""
    try:
        weight = float(cell)
    except ValueError:
        return math.nan
    return weight if 0 <= weight < _LARGEST_WEIGHT else math.nan


def _groups(table: Table, columns: ColumnsConfig) -> list[str] | list[None]:
    if columns.group is None:
        return [None] * len(table.rows)
    groups = [cell.strip() for cell in table.require(columns.group, "data.columns.group")]
    what = f"no group in column '{columns.group}' (an image that belongs to no other has one of its own)"
    table.refuse(what, [not group for group in groups])
    return groups
