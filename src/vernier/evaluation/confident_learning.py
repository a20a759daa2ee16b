"""Label errors found by confident learning (Northcutt, Jiang & Chuang 2021, https://arxiv.org/abs/1911.00068).

A class's threshold is the mean probability of that class over the images that have it as their label. An image whose
probability of a class reaches that class's threshold is confidently of that class; where that holds for several, the
most probable counts. Counting labels against confident classes gives the confident joint. Scaled to the known number of
images of each label it estimates how labels and true classes are distributed together, and so how many labels of each
class are wrong. So many of its images, those with the lowest scores, are the suspects (the paper's "prune by class").

The probabilities have to be out of sample: of models that were not trained on the image.
"""

from dataclasses import dataclass
from typing import Final, final

import numpy as np

_LEAST: Final = float(np.finfo(np.float32).tiny)
"""In place of a threshold of 0, which a class has whose images are all given probabilities of 0."""


@final
@dataclass(frozen=True)
class ClassNoise:
    """How many labels of one class are wrong.

    Attributes:
        n: Images with the label.
        rate: Estimated share of them whose label is wrong.
        suspects: How many of them are suspects.
    """

    n: int
    rate: float
    suspects: int


@final
@dataclass(frozen=True)
class LabelErrors:
    """What out-of-sample probabilities say of N labels of C classes.

    Attributes:
        suspects: bool (N,).
        suggested: What the label should be, in the form of the targets: int64 (N,), or uint8 (N, C).
        scores: float64 (N,), from 0 (suspicious) to 1, see `label_scores`; multilabel: of the most suspicious of the C
            decisions.
        p_given: float64 (N,), the probability of the label; multilabel: of the decision that `scores` is of.
        p_suggested: The same of what is suggested.
        noise_rate: Estimated share of wrong labels; multilabel: of the N x C decisions.
        classes: Of each class, C; multilabel: of the images with the label, and of all images in `suspects`.
        joint: float64 (C, C), the estimated shares of label (row) and true class (column), sum 1; None for multilabel.
    """

    suspects: np.ndarray
    suggested: np.ndarray
    scores: np.ndarray
    p_given: np.ndarray
    p_suggested: np.ndarray
    noise_rate: float
    classes: tuple[ClassNoise, ...]
    joint: np.ndarray | None

    def order(self) -> np.ndarray:
        """int64 (N,): all images, suspects first, each part by its scores; equal ones stay in their order."""
        return np.lexsort((self.scores, ~self.suspects))


def find_label_errors(targets: np.ndarray, probabilities: np.ndarray) -> LabelErrors:
    """Compare labels with out-of-sample probabilities.

    Args:
        targets: int64 (N,), or uint8 (N, C) for multilabel, where each label is a question of two answers.
        probabilities: (N, C); a row sums to 1 unless multilabel.
    """
    exact = probabilities.astype(np.float64)
    return _of_one_label(targets, exact) if targets.ndim == 1 else _of_several_labels(targets, exact)


def class_thresholds(targets: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """The mean probability of each class over its images, float64 (C,); infinite for classes without images."""
    counts = np.bincount(targets, minlength=probabilities.shape[1])
    sums = np.bincount(targets, weights=_of(targets, probabilities), minlength=len(counts))
    thresholds: np.ndarray = np.divide(sums, counts, out=np.full(len(counts), np.inf), where=counts > 0)
    return thresholds


def confident_classes(probabilities: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """The most probable class among those that reach their threshold, int64 (N,); -1 where none does."""
    reached = probabilities >= thresholds
    likeliest = np.where(reached, probabilities, -np.inf).argmax(axis=1)
    return np.where(reached.any(axis=1), likeliest, -1)


def confident_joint(targets: np.ndarray, confident: np.ndarray, num_classes: int) -> np.ndarray:
    """int64 (C, C): images of each label (row) that are confidently of each class (column)."""
    known = confident >= 0
    cells = np.bincount(targets[known] * num_classes + confident[known], minlength=num_classes**2)
    return cells.reshape(num_classes, num_classes)


def estimate_joint(confident: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Shares of label and true class, float64 (C, C), sum 1: each row scaled to the images of its label.

    Args:
        confident: int64 (C, C), from `confident_joint`.
        counts: int64 (C,), images of each label.
    """
    filled = _filled(confident)
    scaled = filled / filled.sum(axis=1, keepdims=True) * counts[:, None]
    shares: np.ndarray = scaled / scaled.sum()
    return shares


def wrong_labels(confident: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """How many images of each label are of another class, float64 (C,): the same estimate in images."""
    filled = _filled(confident)
    rows = filled.sum(axis=1)
    wrong: np.ndarray = counts * (rows - filled.diagonal()) / rows
    return wrong


def _filled(confident: np.ndarray) -> np.ndarray:
    """Labels of which no image is confidently of any class are taken to be right."""
    filled: np.ndarray = confident + np.diag(confident.sum(axis=1) == 0)
    return filled


def relative_probabilities(probabilities: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """How far probabilities reach up to their class's threshold, float64 (N, C); 0 for classes without images.

    Otherwise all images of rare classes, to which models give low probabilities, would be suspicious.
    """
    reach: np.ndarray = probabilities / np.maximum(thresholds, _LEAST)
    return reach


def label_scores(targets: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """How likely the label is beside the likeliest other class: 1 where no other is, 0 where the label is not.

    Args:
        targets: int64 (N,).
        reach: float64 (N, C), from `relative_probabilities`.

    Returns:
        float64 (N,), below 1/2 where another class is likelier.
    """
    own, others = _of(targets, reach), reach.copy()
    np.put_along_axis(others, targets[:, None], 0, axis=1)
    both = own + others.max(axis=1)
    scores: np.ndarray = np.divide(own, both, out=np.ones(len(own)), where=both > 0)
    return scores


def prune_by_class(targets: np.ndarray, scores: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    """The images with the lowest scores of each label, as many as are wrong; none where the label is the likeliest.

    Args:
        targets: int64 (N,).
        scores: float64 (N,), from `label_scores`.
        wrong: (C,), from `wrong_labels`; rounded.

    Returns:
        bool (N,).
    """
    by_label = np.lexsort((scores, targets))
    counts = np.bincount(targets, minlength=len(wrong))
    starts = np.cumsum(counts) - counts
    rank = np.empty(len(targets), np.int64)
    rank[by_label] = np.arange(len(targets)) - starts[targets[by_label]]
    suspects: np.ndarray = (rank < np.rint(wrong)[targets]) & (scores < 0.5)
    return suspects


def _of_one_label(targets: np.ndarray, probabilities: np.ndarray) -> LabelErrors:
    num_classes = probabilities.shape[1]
    thresholds = class_thresholds(targets, probabilities)
    counts = np.bincount(targets, minlength=num_classes)
    confident = confident_joint(targets, confident_classes(probabilities, thresholds), num_classes)
    wrong, joint = wrong_labels(confident, counts), estimate_joint(confident, counts)
    reach = relative_probabilities(probabilities, thresholds)
    scores, suggested = label_scores(targets, reach), reach.argmax(axis=1)
    suspects = prune_by_class(targets, scores, wrong)
    of_class = zip(counts.tolist(), wrong.tolist(), np.bincount(targets[suspects], minlength=num_classes), strict=True)
    return LabelErrors(
        suspects,
        suggested,
        scores,
        _of(targets, probabilities),
        _of(suggested, probabilities),
        float(wrong.sum() / max(len(targets), 1)),
        tuple(ClassNoise(n, misfits / max(n, 1), int(suspicious)) for n, misfits, suspicious in of_class),
        joint,
    )


def _of_several_labels(targets: np.ndarray, probabilities: np.ndarray) -> LabelErrors:
    """Every label by itself; an image is as suspicious as the most suspicious of its decisions."""
    labels = [
        _of_one_label(own.astype(np.int64), np.stack([1 - p, p], axis=1))
        for own, p in zip(targets.T, probabilities.T, strict=True)
    ]
    suspects = np.stack([label.suspects for label in labels], axis=1)
    scores = np.stack([label.scores for label in labels], axis=1)
    # Among suspects the lowest, else the lowest of all.
    worst = np.lexsort((scores, ~suspects), axis=1)[:, 0]
    is_suspect = np.asarray(suspects.any(axis=1))
    p_given = _of(worst, np.where(targets == 1, probabilities, 1 - probabilities))
    return LabelErrors(
        is_suspect,
        np.where(suspects, 1 - targets, targets),
        _of(worst, scores),
        p_given,
        np.where(is_suspect, 1 - p_given, p_given),
        float(np.mean([label.noise_rate for label in labels])),
        tuple(ClassNoise(label.classes[1].n, label.classes[1].rate, int(label.suspects.sum())) for label in labels),
        None,
    )


def _of(places: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The value at one place of each row, (N,)."""
    return np.take_along_axis(values, places[:, None], axis=1)[:, 0]
