"""Precision-recall and ROC curves of every validation."""

import io
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import final

import numpy as np

from vernier.evaluation.metrics import Measures, probabilities_of, roc_auc, roc_curve
from vernier.models.task import Task
from vernier.track.tensorboard_tracker import TensorBoardTracker
from vernier.training.callbacks.callback import Callback, Training

_MOST_CLASSES = 20
_LONGEST_LABEL = 24


@final
class Curves(Callback):
    """Shows a precision-recall curve a class, and the ROC curves in one picture; of at most 20 classes.

    Classes without images, or without images of others, have no curves.
    """

    def __init__(self, tracker: TensorBoardTracker) -> None:
        self._tracker = tracker

    def validation_end(self, training: Training, measures: Measures) -> None:
        """See `Callback.validation_end`."""
        step = training.state.step
        scored = tuple(islice(_scored_classes(measures, training.setup.task), _MOST_CLASSES))
        for each in scored:
            self._tracker.writer.add_pr_curve(f"precision_recall/{each.name}", each.positive, each.scores, step)
        if scored:
            self._tracker.log_png("roc", step, _roc_picture(scored))


@dataclass(frozen=True)
class _ScoredClass:
    """One class against all others: scores float32 (N,), positive uint8 (N,)."""

    name: str
    scores: np.ndarray
    positive: np.ndarray


def _scored_classes(measures: Measures, task: Task) -> Iterator[_ScoredClass]:
    probabilities = probabilities_of(measures.logits, task)
    first = 1 if task.name == "binary" else 0
    for number in range(first, len(task.class_names)):
        labels = measures.targets[:, number] if task.name == "multilabel" else measures.targets == number
        if labels.any() and not labels.all():
            yield _ScoredClass(task.class_names[number], probabilities[:, number], labels.astype(np.uint8))


def _roc_picture(scored: Sequence[_ScoredClass]) -> bytes:
    """A PNG of all curves, each with its area."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 5), dpi=90, layout="constrained")
    axes = figure.add_subplot()
    axes.plot((0, 1), (0, 1), color="#6b7680", linestyle=":", linewidth=1)
    for each in scored:
        label = f"{each.name[:_LONGEST_LABEL]} {roc_auc(each.scores, each.positive):.3f}"
        axes.plot(*roc_curve(each.scores, each.positive), linewidth=1, label=label)
    axes.set(xlabel="false positive rate", ylabel="true positive rate", title="ROC curves and their areas", aspect=1)
    legend = figure.legend(loc="outside right upper", frameon=False, fontsize=7)
    for text in legend.get_texts():
        text.set_parse_math(False)
    png = io.BytesIO()
    with warnings.catch_warnings():
        # Names may be in a script that the font lacks; boxes stand for them.
        warnings.filterwarnings("ignore", message="Glyph")
        figure.savefig(png, format="png")
    return png.getvalue()
