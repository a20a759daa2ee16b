"""metrics.csv, a row an epoch; validations.csv, a row a validation; steps.csv, a row every `train.log_every`."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from vernier.atomic import write_text_atomically


@final
@dataclass(frozen=True)
class CSVTracker:
    """Appends rows; rows of work that an interruption lost are cut first, so nothing is counted twice.

    Attributes:
        directory: The run directory.
        epoch: Epochs completed when the training begins or goes on.
        step: Steps done then.
    """

    directory: Path
    epoch: int
    step: int

    def start(self, config: Mapping[str, object]) -> None:
        """Cut the files back to the completed epochs and steps."""
        _cut(self.directory / "validations.csv", "step", self.step)
        _cut(self.directory / "metrics.csv", "epoch", self.epoch)
        _cut(self.directory / "steps.csv", "step", self.step)

    def log_step(self, step: int, values: Mapping[str, float]) -> None:
        """Append a row to steps.csv."""
        _append(self.directory / "steps.csv", {"step": step, **values})

    def log_validation(self, epoch: int, step: int, values: Mapping[str, float]) -> None:
        """Append a row to validations.csv."""
        _append(self.directory / "validations.csv", {"epoch": epoch, "step": step, **values})

    def log_epoch(self, epoch: int, step: int, values: Mapping[str, float]) -> None:
        """Append a row to metrics.csv."""
        _append(self.directory / "metrics.csv", {"epoch": epoch, "step": step, **values})

    def close(self) -> None:
        """Nothing is left open between rows."""


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file; none when there is no file."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _append(path: Path, row: Mapping[str, float]) -> None:
    """Add a row; a file without some of its columns is written anew with them, their earlier places empty."""
    columns = _columns(path)
    new = [column for column in row if column not in columns]
    if new and columns:
        write_text_atomically(path, _text(read_rows(path), [*columns, *new]))
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*columns, *new], restval="", lineterminator="\n")
        if not columns:
            writer.writeheader()
        writer.writerow(row)


def _columns(path: Path) -> list[str]:
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return next(csv.reader(file), [])


def _cut(path: Path, column: str, last: int) -> None:
    """Keep the rows up to `last`; a row that a kill left unfinished goes too."""
    rows = read_rows(path)
    kept = [row for row in rows if _number(row.get(column)) <= last and None not in row.values()]
    if len(kept) == len(rows) and (not rows or path.read_text(encoding="utf-8").endswith("\n")):
        return
    write_text_atomically(path, _text(kept, list(rows[0])))


def _number(text: str | None) -> float:
    return float(text) if text and text.isdigit() else float("inf")


def _text(rows: Sequence[Mapping[str, str]], columns: Sequence[str]) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, restval="", lineterminator="\n")
    if rows:
        writer.writeheader()
        writer.writerows(rows)
    return buffer.getvalue()
