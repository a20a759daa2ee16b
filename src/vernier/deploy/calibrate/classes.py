"""Each class against all others: how well its probability tells it, and where to cut."""

import math
from dataclasses import dataclass
from typing import final

import numpy as np

from vernier.evaluation.metrics import roc_auc, roc_curve
from vernier.models.task import Task


@final
@dataclass(frozen=True)
class ClassThreshold:
    """One class against all others.

    Attributes:
        name: the class.
        n: images of it.
        auc: area under the ROC curve; nan without images of it, or without others.
        threshold: probability from which on it is best told by the geometric mean; nan as `auc`.
        g_mean: sqrt(TPR (1 - FPR)) there.
        true_positive_rate: share of its images from the threshold on.
        false_positive_rate: share of the others from the threshold on.
    """

    name: str
    n: int
    auc: float
    threshold: float
    g_mean: float
    true_positive_rate: float
    false_positive_rate: float


def class_thresholds(probabilities: np.ndarray, targets: np.ndarray, task: Task) -> tuple[ClassThreshold, ...]:
    """The threshold of each class by the highest geometric mean; of equal ones the highest threshold.

    Args:
        probabilities: float32 (N, C).
        targets: int64 (N,) or, multilabel, uint8 (N, C).
        task: whose classes they are.
    """
    labels = targets if task.name == "multilabel" else targets[:, None] == np.arange(len(task.class_names))
    columns = zip(task.class_names, probabilities.T, labels.T.astype(np.int64), strict=True)
    return tuple(_one(*column) for column in columns)


def _one(name: str, scores: np.ndarray, positive: np.ndarray) -> ClassThreshold:
    n = int(positive.sum())
    if n in (0, len(positive)):
        return ClassThreshold(name, n, *[math.nan] * 5)
    false_rates, true_rates = roc_curve(scores, positive)
    means = np.sqrt(true_rates * (1 - false_rates))
    # The first point of the curve, where nothing is predicted, has no score; its mean is 0.
    best = max(1, int(means.argmax()))
    threshold = float(np.unique(scores)[::-1][best - 1])
    figures = (float(values[best]) for values in (means, true_rates, false_rates))
    return ClassThreshold(name, n, roc_auc(scores, positive), threshold, *figures)
