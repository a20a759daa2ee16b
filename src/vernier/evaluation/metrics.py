"""Measures of a whole set, from the logits of all its images; never means over batches.

A precision, recall or F1 whose denominator is zero is 0. The macro values are means over all classes of the
task, also those that the set lacks; the weighted ones are weighted by the images of each class. This is
scikit-learn with `labels=` all classes and `zero_division=0`. A measure that the set leaves undefined, such as
the ROC AUC of images of one class only, is nan.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, final

import numpy as np
import torch

from vernier.config.evaluate import EvaluateConfig
from vernier.evaluation.calibration import reliability
from vernier.evaluation.finite import check_finite
from vernier.models.task import Task, TaskName

if TYPE_CHECKING:
    from vernier.evaluation.torchmetrics_metrics import Metrics

_LOWER_IS_BETTER = ("loss", "ece")
_SHARES = tuple(f"{mean}_{kind}" for mean in ("macro", "weighted") for kind in ("precision", "recall", "f1"))


@final
@dataclass(frozen=True)
class ClassMeasures:
    """One class against all others.

    Attributes:
        name: the class.
        n: images whose target it is.
        precision: share of right predictions of it.
        recall: share of its images that are found.
        f1: harmonic mean of the two.
        true_positives: images of it that are predicted as it.
        false_positives: other images that are predicted as it.
    """

    name: str
    n: int
    precision: float
    recall: float
    f1: float
    true_positives: int
    false_positives: int


@final
@dataclass(frozen=True)
class Measures:
    """What was measured over a set.

    Attributes:
        n: images.
        values: the measures by name, in the order in which they are shown.
        per_class: one entry a class.
        confusion: int64 (C, C), targets in rows and predictions in columns; None for multilabel.
        logits: what was measured, float32 (N, num_outputs).
        targets: int64 (N,) or, multilabel, uint8 (N, C).
    """

    n: int
    values: Mapping[str, float]
    per_class: tuple[ClassMeasures, ...]
    confusion: np.ndarray | None
    logits: np.ndarray = field(repr=False)
    targets: np.ndarray = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """`n` and the values; None for those that are nan, which JSON does not have."""
        return {"n": self.n, **{name: None if math.isnan(v) else v for name, v in self.values.items()}}


def measure(
    logits: np.ndarray, targets: np.ndarray, task: Task, evaluate: EvaluateConfig, metrics: "Metrics | None" = None
) -> Measures:
    """Measure a set.

    Args:
        logits: float32 (N, num_outputs), N at least 1.
        targets: int64 (N,) or, multilabel, uint8 (N, C).
        task: decides with its own threshold; its label smoothing is not part of the loss.
        evaluate: `top_k` and `calibration_bins`.
        metrics: the user's own, whose values come last.

    Raises:
        TrainingError: logits that are not finite.
    """
    losses = sample_losses(logits, targets, task)
    probabilities = probabilities_of(logits, task)
    decisions = task.decide(probabilities)
    values = {"loss": float(losses.mean(dtype=np.float64))}
    counts, confusion = _counted(targets, decisions, task)
    if task.name == "multilabel":
        values |= _multilabel_values(probabilities, targets, decisions, counts)
    else:
        values |= _one_label_values(probabilities, targets, decisions, counts, task, evaluate)
    if metrics is not None:
        values |= metrics.compute(probabilities, targets)
    return Measures(len(targets), values, _per_class(task, counts), confusion, logits, targets)


def sample_losses(logits: np.ndarray, targets: np.ndarray, task: Task) -> np.ndarray:
    """The cross-entropy of each image without label smoothing, float32 (N,).

    Raises:
        TrainingError: logits that are not finite.
    """
    check_finite(logits)
    return task.evaluation_loss(torch.from_numpy(logits), task.targets(targets)).numpy()


def probabilities_of(logits: np.ndarray, task: Task) -> np.ndarray:
    """float32 (N, C) of logits (N, num_outputs)."""
    return task.probabilities(torch.from_numpy(logits)).numpy()


def metric_names(task: TaskName, num_classes: int, evaluate: EvaluateConfig) -> tuple[str, ...]:
    """Names in `Measures.values` for a task."""
    if task == "multilabel":
        return (
            *("loss", "exact_match", "hamming_accuracy", "mean_average_precision"),
            *("micro_precision", "micro_recall", "micro_f1"),
            *_SHARES,
        )
    top = (f"top{evaluate.top_k}_accuracy",) if num_classes > evaluate.top_k else ()
    positive = ("precision", "recall", "f1", "roc_auc", "average_precision") if task == "binary" else ()
    return ("loss", "accuracy", *top, "balanced_accuracy", *positive, *_SHARES, "ece")


def mode_of(metric: str, metrics: "Metrics | None" = None) -> Literal["min", "max"]:
    """Whether lower or higher values of a metric are better; `val_` before its name changes nothing.

    Args:
        metric: one of `metric_names`, or of the names of `metrics`.
        metrics: the user's own.
    """
    name = metric.removeprefix("val_")
    if metrics is not None and name in metrics.names:
        return metrics.mode_of(name)
    return "min" if name in _LOWER_IS_BETTER else "max"


def confusion_matrix(targets: np.ndarray, predictions: np.ndarray, num_classes: int) -> np.ndarray:
    """int64 (C, C): how many images of target row were predicted as column."""
    pairs = np.bincount(targets * num_classes + predictions, minlength=num_classes**2)
    return pairs.reshape(num_classes, num_classes)


def average_precision(scores: np.ndarray, positive: np.ndarray) -> float:
    """Area under the precision-recall curve in steps: the sum of (R_k - R_(k-1)) P_k over the thresholds.

    Args:
        scores: (N,), higher for positive.
        positive: (N,) of 0 and 1.

    Returns:
        From 0 to 1; nan without a positive.
    """
    if not positive.any():
        return math.nan
    true_positives, predicted = _at_thresholds(scores, positive)
    recall = true_positives / true_positives[-1]
    return float((np.diff(recall, prepend=0.0) * true_positives / predicted).sum())


def roc_auc(scores: np.ndarray, positive: np.ndarray) -> float:
    """Probability that a positive has a higher score than a negative, ties counting half (Fawcett 2006).

    Returns:
        From 0 to 1; nan without positives or without negatives.
    """
    if positive.all() or not positive.any():
        return math.nan
    true_positives, predicted = _at_thresholds(scores, positive)
    false_positives = predicted - true_positives
    area = np.trapezoid(np.append(0, true_positives), np.append(0, false_positives))
    return float(area / (true_positives[-1] * false_positives[-1]))


def roc_curve(scores: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """False and true positive rates at each different score as threshold, float64, both from 0 to 1.

    Args:
        scores: (N,), higher for positive.
        positive: (N,) of 0 and 1, with some of both.
    """
    true_positives, predicted = _at_thresholds(scores, positive)
    hits, false_alarms = np.append(0, true_positives), np.append(0, predicted - true_positives)
    return false_alarms / false_alarms[-1], hits / hits[-1]


def _at_thresholds(scores: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """True positives and all predicted positives at each different score as threshold, the highest first."""
    order = np.argsort(-scores, kind="stable")
    last_of_ties = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    return np.cumsum(positive[order], dtype=np.int64)[last_of_ties], last_of_ties + 1


@dataclass(frozen=True)
class _Counts:
    """True positives, predictions and targets of each class, int64 (C,)."""

    hits: np.ndarray
    predicted: np.ndarray
    n: np.ndarray

    @staticmethod
    def of_confusion(confusion: np.ndarray) -> "_Counts":
        return _Counts(confusion.diagonal(), confusion.sum(axis=0), confusion.sum(axis=1))

    @staticmethod
    def of_labels(targets: np.ndarray, decisions: np.ndarray) -> "_Counts":
        sums = (array.sum(axis=0, dtype=np.int64) for array in (targets & decisions, decisions, targets))
        return _Counts(*sums)

    @property
    def pooled(self) -> "_Counts":
        """All classes as one."""
        return _Counts(*(counts.sum(keepdims=True) for counts in (self.hits, self.predicted, self.n)))

    @property
    def precision(self) -> np.ndarray:
        return np.asarray(self.hits / np.maximum(self.predicted, 1))

    @property
    def recall(self) -> np.ndarray:
        return np.asarray(self.hits / np.maximum(self.n, 1))

    @property
    def f1(self) -> np.ndarray:
        return np.asarray(2 * self.hits / np.maximum(self.predicted + self.n, 1))


def _shares(counts: _Counts) -> dict[str, float]:
    """Macro and weighted means over the classes."""
    kinds = {"precision": counts.precision, "recall": counts.recall, "f1": counts.f1}
    weights = counts.n / max(int(counts.n.sum()), 1)
    macro = {f"macro_{kind}": float(values.mean()) for kind, values in kinds.items()}
    return macro | {f"weighted_{kind}": float((values * weights).sum()) for kind, values in kinds.items()}


def _top_k(probabilities: np.ndarray, targets: np.ndarray, k: int) -> dict[str, float]:
    """How often the target is among the k most probable classes; of equal ones, the first ranks higher."""
    classes = probabilities.shape[1]
    if classes <= k:
        return {}
    highest = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    return {f"top{k}_accuracy": float((highest == targets[:, None]).any(axis=1).mean())}


def _positive_class(scores: np.ndarray, targets: np.ndarray, counts: _Counts) -> dict[str, float]:
    return {
        "precision": float(counts.precision[1]),
        "recall": float(counts.recall[1]),
        "f1": float(counts.f1[1]),
        "roc_auc": roc_auc(scores, targets),
        "average_precision": average_precision(scores, targets),
    }


def _counted(targets: np.ndarray, decisions: np.ndarray, task: Task) -> tuple["_Counts", np.ndarray | None]:
    """The counts of each class, and the confusion matrix where there is one."""
    if task.name == "multilabel":
        return _Counts.of_labels(targets, decisions), None
    confusion = confusion_matrix(targets, decisions, len(task.class_names))
    return _Counts.of_confusion(confusion), confusion


def _one_label_values(
    probabilities: np.ndarray,
    targets: np.ndarray,
    decisions: np.ndarray,
    counts: _Counts,
    task: Task,
    evaluate: EvaluateConfig,
) -> dict[str, float]:
    correct = decisions == targets
    values = {"accuracy": float(correct.mean())}
    values |= _top_k(probabilities, targets, evaluate.top_k)
    values |= {"balanced_accuracy": float(counts.recall[counts.n > 0].mean())}
    if task.name == "binary":
        values |= _positive_class(probabilities[:, 1], targets, counts)
    values |= _shares(counts)
    bins = reliability(task.confidence(probabilities), correct, evaluate.calibration_bins)
    return values | {"ece": bins.expected_calibration_error}


def _multilabel_values(
    probabilities: np.ndarray, targets: np.ndarray, decisions: np.ndarray, counts: _Counts
) -> dict[str, float]:
    """exact_match: all labels right; hamming_accuracy: share of right labels; micro: all labels pooled."""
    right = decisions == targets
    values = {"exact_match": float(right.all(axis=1).mean()), "hamming_accuracy": float(right.mean())}
    areas = [average_precision(*columns) for columns in zip(probabilities.T, targets.T, strict=True)]
    defined = [area for area in areas if not math.isnan(area)]
    values["mean_average_precision"] = float(np.mean(defined)) if defined else math.nan
    pooled = counts.pooled
    values |= {f"micro_{kind}": float(getattr(pooled, kind)[0]) for kind in ("precision", "recall", "f1")}
    return values | _shares(counts)


def _per_class(task: Task, counts: _Counts) -> tuple[ClassMeasures, ...]:
    columns = (
        counts.n,
        counts.precision,
        counts.recall,
        counts.f1,
        counts.hits,
        counts.predicted - counts.hits,
    )
    rows = zip(task.class_names, *(column.tolist() for column in columns), strict=True)
    return tuple(ClassMeasures(*row) for row in rows)
