"""metrics.csv, a row an epoch, and steps.csv, a row every `train.log_every`."""

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
        """Cut both files back to the completed epochs and steps."""
        _cut(self.directory / "metrics.csv", "epoch", self.epoch)
        _cut(self.directory / "steps.csv", "step", self.step)

    def log_step(self, step: int, values: Mapping[str, float]) -> None:
        """Append a row to steps.csv."""
        _append(self.directory / "steps.csv", {"step": step, **values})

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
    new = not path.is_file() or path.stat().st_size == 0
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(row), lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(row)


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
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    if rows:
        writer.writeheader()
        writer.writerows(rows)
    return buffer.getvalue()
