"""The confusion matrix of every validation as a picture."""

import tempfile
from pathlib import Path
from typing import final

from vernier.evaluation.metrics import Measures
from vernier.evaluation.plots import plot_confusion
from vernier.evaluation.tables import write_confusion_matrix
from vernier.track.tensorboard_tracker import TensorBoardTracker
from vernier.training.callbacks.callback import Callback, Training


@final
class ConfusionImages(Callback):
    """Draws it as confusion_matrix.png is drawn; multilabel tasks have none."""

    def __init__(self, tracker: TensorBoardTracker) -> None:
        self._tracker = tracker

    def validation_end(self, training: Training, measures: Measures) -> None:
        """See `Callback.validation_end`."""
        if measures.confusion is None:
            return
        with tempfile.TemporaryDirectory() as directory:
            table, picture = Path(directory, "confusion.csv"), Path(directory, "confusion.png")
            write_confusion_matrix(table, measures.confusion, training.setup.task.class_names)
            plot_confusion(table, picture)
            self._tracker.log_png("confusion_matrix", training.state.step, picture.read_bytes())
