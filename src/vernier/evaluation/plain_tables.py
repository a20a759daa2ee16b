"""Rows as CSV files and as aligned text: what needs no torch."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from vernier.atomic import write_atomically


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of columns two spaces apart: the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    ]


def probability_columns(class_names: Sequence[str]) -> list[str]:
    """`p_<class>` for each class."""
    return [f"p_{name}" for name in class_names]


def numbers(values: Iterable[np.float32]) -> list[str]:
    """The shortest texts that give back the same float32."""
    return [str(value) for value in values]


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV file in UTF-8, fields quoted where they need it, lines ended by a line feed.

    Raises:
        RunError: the file can't be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_text(path, text.getvalue())


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8; file names that are not UTF-8 keep their bytes.

    Raises:
        RunError: the file can't be written.
    """
    content = text.encode(errors="surrogateescape")

    def write(file: BinaryIO) -> None:
        file.write(content)

    write_atomically(path, write)
