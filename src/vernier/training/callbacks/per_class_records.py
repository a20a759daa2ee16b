"""Precision, recall and F1 of each class at every validation."""

import csv
import os
from pathlib import Path
from typing import Any, final

from vernier.evaluation.metrics import Measures
from vernier.track.tensorboard_tracker import TensorBoardTracker
from vernier.training.callbacks.callback import Callback, Training

FILE_NAME = "metrics_per_class.csv"
_MEASURES = ("precision", "recall", "f1")


@final
class PerClassRecords(Callback):
    """Appends a row a class to metrics_per_class.csv of a run, and shows the same in TensorBoard.

    Made in the process that writes, and only there. What was written after the checkpoint that a training goes on
    from is cut off.
    """

    def __init__(self, directory: Path, tracker: TensorBoardTracker) -> None:
        self._file = directory / FILE_NAME
        self._tracker = tracker
        self._size_at_checkpoint = 0

    def begin(self, training: Training) -> None:
        """See `Callback.begin`."""
        if self._size() > self._size_at_checkpoint:
            os.truncate(self._file, self._size_at_checkpoint)

    def validation_end(self, training: Training, measures: Measures) -> None:
        """See `Callback.validation_end`."""
        self._append(training.epoch_number, training.state.step, measures)
        for row in measures.per_class:
            for name in _MEASURES:
                self._tracker.writer.add_scalar(f"class_{name}/{row.name}", getattr(row, name), training.state.step)

    def state_dict(self) -> dict[str, Any]:
        """See `Callback.state_dict`."""
        return {"size": self._size()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See `Callback.load_state_dict`."""
        self._size_at_checkpoint = state["size"]

    def _size(self) -> int:
        return self._file.stat().st_size if self._file.is_file() else 0

    def _append(self, epoch: int, step: int, measures: Measures) -> None:
        is_new = self._size() == 0
        with self._file.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            if is_new:
                writer.writerow(("epoch", "step", "class", "n", *_MEASURES))
            writer.writerows(
                (epoch, step, row.name, row.n, row.precision, row.recall, row.f1) for row in measures.per_class
            )
