"""Results as CSV files and as text."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from vernier.evaluation.metrics import Measures, probabilities_of, sample_losses
from vernier.evaluation.plain_tables import aligned, numbers, probability_columns, write_csv
from vernier.evaluation.words import decimal, metric_label, metric_value, several
from vernier.models.task import Task


def write_predictions(path: Path, keys: Sequence[str], logits: np.ndarray, targets: np.ndarray, task: Task) -> None:
    """Write path,target,prediction,confidence,loss,p_<class>... with a row an image.

    Numbers are the shortest texts that give back the same float32. Several labels are joined by `|`.

    Args:
        path: the file.
        keys: N names of images.
        logits: float32 (N, num_outputs).
        targets: int64 (N,) or, multilabel, uint8 (N, C).
        task: what they mean.

    Raises:
        RunError: the file can't be written.
        TrainingError: logits that are not finite.
    """
    probabilities = probabilities_of(logits, task)
    columns = (
        keys,
        task.labels(targets),
        task.labels(task.decide(probabilities)),
        map(str, task.confidence(probabilities)),
        map(str, sample_losses(logits, targets, task)),
    )
    header = ["path", "target", "prediction", "confidence", "loss", *probability_columns(task.class_names)]
    rows = zip(*columns, map(numbers, probabilities), strict=True)
    write_csv(path, header, ([*texts, *values] for *texts, values in rows))


def write_per_class(path: Path, measures: Mapping[str, Measures]) -> None:
    """Write split,class,n,precision,recall,f1 for each split's measures.

    Raises:
        RunError: the file can't be written.
    """
    rows = (
        (split, row.name, row.n, row.precision, row.recall, row.f1)
        for split, measured in measures.items()
        for row in measured.per_class
    )
    write_csv(path, ["split", "class", "n", "precision", "recall", "f1"], rows)


def write_confusion_matrix(path: Path, confusion: np.ndarray, class_names: Sequence[str]) -> None:
    """Write a row a target and a column a prediction; the first column, `target`, names the row.

    Raises:
        RunError: the file can't be written.
    """
    rows = ([name, *row] for name, row in zip(class_names, confusion.tolist(), strict=True))
    write_csv(path, ["target", *class_names], rows)


def measures_table(measures: Measures) -> str:
    """The measures, one a line, under the number of images they are of."""
    lines = [(metric_label(name), metric_value(name, v, measures.n)) for name, v in measures.values.items()]
    return "\n".join([several(measures.n, "image"), *aligned(lines)])


def per_class_table(measures: Measures) -> str:
    """A line a class: images, precision, recall, F1."""
    rows = [(row.name, str(row.n), *map(decimal, (row.precision, row.recall, row.f1))) for row in measures.per_class]
    return "\n".join(aligned([("class", "n", "precision", "recall", "F1"), *rows]))
