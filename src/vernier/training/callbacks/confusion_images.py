"""The confusion matrix of every validation as a picture."""

import io
from typing import final

from vernier.evaluation.metrics import Measures
from vernier.evaluation.plots import confusion_figure
from vernier.evaluation.run_tables import Confusion
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
        confusion = Confusion(training.setup.task.class_names, measures.confusion)
        picture = io.BytesIO()
        confusion_figure(confusion).savefig(picture, format="png", dpi=100)
        self._tracker.log_png("confusion_matrix", training.state.step, picture.getvalue())
