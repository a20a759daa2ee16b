"""Predictions as CSV files and JSON lines, written as they come."""

import csv
import io
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar, final

import numpy as np

from vernier.atomic import remedy, sync_directory
from vernier.deploy.prediction_columns import Columns
from vernier.deploy.predictions import Prediction
from vernier.errors import RunError

_Result = TypeVar("_Result")


class RowFormat(Protocol):
    """Predictions as the bytes of a text file."""

    @property
    def head(self) -> bytes:
        """What stands before the first row."""

    def encode(self, rows: Sequence[Prediction]) -> bytes:
        """Whole lines. File names that are not UTF-8 keep their bytes."""


@final
class CsvFormat:
    """UTF-8, fields quoted where they need it, a line feed after each row; the shortest numbers that are exact."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns

    @property
    def head(self) -> bytes:
        """The names of the columns."""
        return _csv_lines([self._columns.names])

    def encode(self, rows: Sequence[Prediction]) -> bytes:
        """A line a prediction."""
        return _csv_lines([[_cell(value) for value in self._columns.values(row)] for row in rows])


@final
class JsonLinesFormat:
    """An object a line, as `Columns.to_json` has them."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns

    @property
    def head(self) -> bytes:
        """Nothing."""
        return b""

    def encode(self, rows: Sequence[Prediction]) -> bytes:
        """A line a prediction; what is not ASCII is escaped."""
        return "".join(json.dumps(self._columns.to_json(row)) + "\n" for row in rows).encode()


@final
class WrittenFile:
    """A `Sink`: a file that has its name when all is written; before, and when it does not come to that, NAME.part."""

    def __init__(self, path: Path, text: RowFormat) -> None:
        """Begin NAME.part.

        Raises:
            RunError: The system refuses.
        """
        self._path, self._text = path, text
        self._part = part_of(path)
        self._has_rows = False
        self._file = refusing(path, lambda: self._part.open("wb", buffering=0))
        self._put(text.head)

    def write(self, rows: Sequence[Prediction]) -> None:
        """Append some rows."""
        if rows:
            self._put(self._text.encode(rows))
            self._has_rows = True

    def finish(self) -> None:
        """Give the file its name, all of it on the device."""
        refusing(self._path, lambda: os.fsync(self._file.fileno()))
        self._file.close()
        refusing(self._path, lambda: into_place(self._part, self._path))

    def abandon(self) -> Path | None:
        """Keep NAME.part if there are rows in it."""
        self._file.close()
        return end_part(self._part, self._has_rows)

    def _put(self, content: bytes) -> None:
        refusing(self._path, lambda: _write_all(self._file, content))


@final
class AppendedFile:
    """A `Sink`: a file that rows are appended to for as long as it takes; each write is there for others to read."""

    def __init__(self, path: Path, text: RowFormat) -> None:
        """Open it, with the head where it is new.

        Raises:
            RunError: The system refuses, or the file has another head.
        """
        self._path, self._text = path, text
        self._file = refusing(path, lambda: path.open("a+b", buffering=0))
        self._file.seek(0)
        found = self._file.read(len(text.head))
        if found and found != text.head:
            self._file.close()
            raise RunError(f"{path}: has other columns than {text.head.decode().strip()}; name another file")
        if not found:
            self._put(text.head)

    def write(self, rows: Sequence[Prediction]) -> None:
        """Append some rows."""
        self._put(self._text.encode(rows))

    def finish(self) -> None:
        """Close it."""
        self._file.close()

    def abandon(self) -> None:
        """Close it; what was written is under its name."""
        self._file.close()

    def _put(self, content: bytes) -> None:
        refusing(self._path, lambda: _write_all(self._file, content))


def part_of(path: Path) -> Path:
    """The name of a file that is not complete."""
    return path.with_name(f"{path.name}.part")


def into_place(part: Path, path: Path) -> None:
    """Give a complete file its name, for good."""
    part.replace(path)
    sync_directory(path.parent)


def end_part(part: Path, has_rows: bool) -> Path | None:
    """A part that people may look at; one with nothing in it is removed, one that has its name already is none."""
    if not has_rows:
        part.unlink(missing_ok=True)
    return part if part.exists() else None


def refusing(path: Path, work: Callable[[], _Result]) -> _Result:
    """What `work` gives.

    Raises:
        RunError: The system refuses; names the file and what can be done.
    """
    try:
        return work()
    except OSError as error:
        raise RunError(f"{path}: not written: {error.strerror or error}. {remedy(error)}") from error


def _write_all(file: io.FileIO, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]


def _csv_lines(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode(errors="surrogateescape")


def _cell(value: str | bool | np.float32 | None) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
