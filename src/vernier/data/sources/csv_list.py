"""CSV files: columns `path` and `label`, or `path` and one 0/1 column a label; optionally `split`."""

import os.path
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from vernier.config.data import DataConfig
from vernier.data.source import LABEL_SEPARATOR
from vernier.data.sources.folders import absolute
from vernier.data.sources.listing import ListedFile, Listing
from vernier.data.tables import read_rows
from vernier.data.wording import did_you_mean, listed
from vernier.errors import DataError

SUFFIXES = {".csv": ",", ".tsv": "\t"}
"""File name endings in lower case, and the delimiter each stands for."""


@final
@dataclass(frozen=True)
class _Table:
    """A CSV file by column; `where` names it in messages."""

    where: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def column(self, name: str) -> list[str]:
        index = self.columns.index(name)
        return [row[index] for row in self.rows]


def list_csv(path: Path, data: DataConfig, key: str) -> Listing:
    """The images that a CSV file lists, relative to `data.root`, else to the file's own directory.

    Several labels are joined by `|`, unless `data.task` says that a sample has one. A run's `split.csv` is such a
    file.

    Raises:
        DataError: the file, a column, a label or an image is missing; a path occurs twice.
    """
    root = absolute(path).parent if data.root is None else absolute(Path(data.root))
    table = _read_table(path, key)
    paths = [os.path.normpath(root / text) if text else "" for text in table.column("path")]
    keys = [os.path.relpath(path, root).replace(os.sep, "/") if path else "" for path in paths]
    _refuse(table, "path is empty in rows", [str(row) for row, key in enumerate(keys, start=2) if not key])
    twice = [key for key, count in Counter(keys).items() if count > 1]
    _refuse(table, f"paths that occur twice (join several labels with {LABEL_SEPARATOR})", twice)
    _refuse(
        table,
        f"files that are not in {root} (paths are relative to data.root, else to the CSV file)",
        [key for key, path in zip(keys, paths, strict=True) if not os.path.isfile(path)],  # noqa: PTH113
    )
    labels, multilabel = _labels(table, data)
    splits = [s.strip() for s in table.column("split")] if "split" in table.columns else [""] * len(keys)
    files = tuple(ListedFile(*row) for row in zip(keys, labels, splits, strict=True))
    return Listing(path.stem, root, files, _class_names(table, labels), multilabel, {})


def _read_table(path: Path, key: str) -> _Table:
    where = f"{key}={path}"
    header, *rows = read_rows(path, key, SUFFIXES[path.suffix.casefold()]) or [[]]
    columns = tuple(name.strip() for name in header)
    if "path" not in columns:
        raise DataError(
            f"{where}: no column 'path'.{did_you_mean('path', columns)} The first line has: {listed(columns)}"
        )
    uneven = [str(number) for number, row in enumerate(rows, start=2) if len(row) != len(columns)]
    table = _Table(where, columns, tuple(tuple(row) for row in rows))
    _refuse(table, "rows with more or fewer fields than the first line", uneven)
    _refuse(table, "columns that occur twice", [n for n, count in Counter(columns).items() if count > 1])
    return table


def _labels(table: _Table, data: DataConfig) -> tuple[list[tuple[str, ...]], bool]:
    """The labels of each row, and whether there may be several."""
    if "label" not in table.columns:
        return _indicated_labels(table), True
    texts = table.column("label")
    several = data.task == "multilabel" or (data.task == "auto" and any(LABEL_SEPARATOR in text for text in texts))
    if several:
        return [tuple(filter(None, map(str.strip, text.split(LABEL_SEPARATOR)))) for text in texts], True
    empty = [str(row) for row, text in enumerate(texts, start=2) if not text.strip()]
    _refuse(table, "no label (data.task=multilabel allows that) in rows", empty)
    return [(text.strip(),) for text in texts], False


def _indicated_labels(table: _Table) -> list[tuple[str, ...]]:
    names = _label_columns(table)
    if not names:
        raise DataError(
            f"{table.where}: no column 'label', nor a column of 0 and 1 for each label."
            f"{did_you_mean('label', table.columns)} The first line has: {listed(table.columns)}"
        )
    for name in names:
        wrong = sorted({value for value in table.column(name) if value.strip() not in ("0", "1")})
        if wrong:
            raise DataError(
                f"{table.where}: without a column 'label', column '{name}' has to hold 0 or 1, not "
                f"{listed([repr(value) for value in wrong])}"
            )
    columns = [table.column(name) for name in names]
    return [
        tuple(name for name, value in zip(names, row, strict=True) if value.strip() == "1")
        for row in zip(*columns, strict=True)
    ]


def _label_columns(table: _Table) -> list[str]:
    return [name for name in table.columns if name not in ("path", "split")]


def _class_names(table: _Table, labels: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    if "label" not in table.columns:
        return tuple(sorted(_label_columns(table)))
    return tuple(sorted({label for row in labels for label in row}))


def _refuse(table: _Table, what: str, which: Sequence[str]) -> None:
    if which:
        raise DataError(f"{table.where}: {what} ({len(which)}): {listed(which)}")
