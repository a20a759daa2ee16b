"""Predictions for people to read, and as one JSON object."""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO, final

from vernier.deploy.prediction_columns import Columns
from vernier.deploy.prediction_files import CsvFormat, JsonLinesFormat, WrittenFile
from vernier.deploy.predictions import Failure, Prediction, PredictResult
from vernier.evaluation.words import percent, several

ROWS_ALIGNED = 200
"""So many rows are held back, so that they stand in columns; later ones keep these widths."""


def write_csv(path: Path, result: PredictResult, *, probabilities: bool = False) -> None:
    """Write the columns of `Columns`, a row a prediction.

    The columns of the most probable classes are there when the prediction was made with `top_k` above 1.

    Raises:
        RunError: The file can't be written.
    """
    _write(WrittenFile(path, CsvFormat(_columns(result, probabilities=probabilities))), result)


def write_json_lines(path: Path, result: PredictResult, *, probabilities: bool = False) -> None:
    """Write a line a prediction, each an object as `to_json` has them.

    Raises:
        RunError: The file can't be written.
    """
    _write(WrittenFile(path, JsonLinesFormat(_columns(result, probabilities=probabilities))), result)


def to_json(result: PredictResult, *, probabilities: bool = False) -> dict[str, Any]:
    """Predictions and failures as JSON values, with all probabilities on request."""
    columns = _columns(result, probabilities=probabilities)
    return {
        "predictions": list(map(columns.to_json, result.rows)),
        "failures": list(map(failure_json, result.failures)),
    }


def to_text(result: PredictResult) -> str:
    """A table of the predictions, then the files that can't be read."""
    columns = _columns(result, probabilities=False)
    rows = [_head(columns), *(_cells(columns, row) for row in result.rows)] if result.rows else []
    lines = [*_aligned(rows, _widths(rows)), *failure_lines(result.failures)]
    return shown("\n".join(lines))


def failure_lines(failures: Sequence[Failure]) -> list[str]:
    """How many files can't be read, and which; nothing when there are none."""
    if not failures:
        return []
    return [
        f"{several(len(failures), 'file')} can't be read:",
        *(f"  {failure.path}: {failure.reason}" for failure in failures),
    ]


def failure_json(failure: Failure) -> dict[str, str]:
    """An object of a failure."""
    return {"path": failure.path, "reason": failure.reason}


def shown(text: str) -> str:
    """Text that can be printed: a file name may hold bytes that are no text."""
    return text.encode(errors="replace").decode()


@final
class TextScreen:
    """A `Sink`: a table on a screen or in a pipe."""

    def __init__(self, stream: TextIO, columns: Columns, rows_held: int = ROWS_ALIGNED) -> None:
        """Begin.

        Args:
            stream: Where it is printed.
            columns: Which are shown; no probabilities of all classes.
            rows_held: Rows held back before the first are printed, so that they stand in columns; 1 shows each at once.
        """
        self._stream, self._columns, self._rows_held = stream, columns, rows_held
        self._held: list[list[str]] = [_head(columns)]
        self._widths: list[int] = []

    def write(self, rows: Sequence[Prediction]) -> None:
        """Take some rows."""
        self._held += [_cells(self._columns, row) for row in rows]
        if rows and (self._widths or len(self._held) > self._rows_held):
            self._print()

    def finish(self) -> None:
        """Print the rest; no head where there are no rows."""
        if len(self._held) > (0 if self._widths else 1):
            self._print()

    def abandon(self) -> None:
        """Print what came, if somebody still reads."""
        with suppress(BrokenPipeError):
            self.finish()

    def _print(self) -> None:
        found = _widths(self._held)
        self._widths = [max(pair) for pair in zip(self._widths, found, strict=True)] if self._widths else found
        for line in _aligned(self._held, self._widths):
            print(shown(line), file=self._stream)
        self._stream.flush()
        self._held = []


@final
class JsonScreen:
    """A `Sink`: one JSON object, `{"predictions": [...], "failures": [...]}`, a row a line."""

    def __init__(self, stream: TextIO, columns: Columns, failures: Sequence[Failure]) -> None:
        """Begin the object.

        Args:
            stream: Where it is printed.
            columns: What stands in it.
            failures: All of them, when it is finished.
        """
        self._stream, self._columns, self._failures = stream, columns, failures
        self._before = "\n  "
        print('{\n "predictions": [', file=stream, end="")

    def write(self, rows: Sequence[Prediction]) -> None:
        """Print some rows."""
        for row in rows:
            print(self._before + json.dumps(self._columns.to_json(row)), file=self._stream, end="")
            self._before = ",\n  "

    def finish(self) -> None:
        """Print the failures and end the object."""
        failures = ",".join(f"\n  {json.dumps(failure_json(failure))}" for failure in self._failures)
        print(f'\n ],\n "failures": [{failures}\n ]\n}}', file=self._stream)

    def abandon(self) -> None:
        """Leave the object without its end, which nobody takes for a whole one."""


def _columns(result: PredictResult, *, probabilities: bool) -> Columns:
    ranks = max((len(row.top) for row in result.rows), default=0)
    return Columns(
        ranks if ranks > 1 else 0,
        result.class_names if probabilities else (),
        any(row.rejected for row in result.rows),
        any(row.level for row in result.rows),
    )


def _write(file: WrittenFile, result: PredictResult) -> None:
    file.write(result.rows)
    file.finish()


def _head(columns: Columns) -> list[str]:
    return [
        *("path", "prediction", "confidence"),
        *(("guess",) if columns.rejecting else ()),
        *(("level",) if columns.levels else ()),
        *(f"top {rank}" for rank in range(2, columns.ranks + 1)),
    ]


def _cells(columns: Columns, row: Prediction) -> list[str]:
    return [
        *(row.path, row.prediction, percent(float(row.confidence))),
        *((row.guess if row.rejected else "",) if columns.rejecting else ()),
        *((row.level or "",) if columns.levels else ()),
        *(f"{name} {percent(float(share))}" for name, share in row.top[1 : columns.ranks]),
    ]


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*rows, strict=True)]


def _aligned(rows: Sequence[Sequence[str]], widths: Sequence[int]) -> Iterator[str]:
    """Columns two spaces apart: the first to the left, the others to the right."""
    for first, *others in rows:
        right = (cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))
        yield "  ".join([first.ljust(widths[0]), *right])
