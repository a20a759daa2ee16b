"""Measuring a bundle, or another classifier, on data."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import torch

from vernier.config.data import DataConfig
from vernier.config.evaluate import EvaluateConfig
from vernier.data.images import ImageError
from vernier.data.source import Source
from vernier.data.sources import open_source
from vernier.data.store_base import BadImage, check_bad
from vernier.data.wording import listed
from vernier.evaluation.classifier import load_classifier
from vernier.evaluation.evaluators import Evaluator, make_evaluators, with_evaluators
from vernier.evaluation.image_classifier import ImageClassifier
from vernier.evaluation.metrics import Measures, measure
from vernier.evaluation.part import open_part
from vernier.evaluation.reading import LenientImages
from vernier.evaluation.tables import write_confusion_matrix, write_per_class, write_predictions
from vernier.evaluation.torchmetrics_metrics import make_metrics
from vernier.evaluation.words import several
from vernier.models.task import Task

_BATCH_SIZE = 32


@final
@dataclass(frozen=True)
class EvaluationReport:
    """What an evaluation found.

    Attributes:
        bundle: what was evaluated.
        source: name of the data.
        part: train, val, test or all.
        which: a sentence: which images were measured, how many, and classes without any.
        measures: over the images that could be read.
        missing_classes: classes of the bundle that the data does not have.
        unreadable: images left out, with `data.on_bad_image=skip`.
    """

    bundle: Path
    source: str
    part: str
    which: str
    measures: Measures
    missing_classes: tuple[str, ...]
    unreadable: tuple[ImageError, ...]

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON values."""
        confusion = self.measures.confusion
        return {
            "bundle": str(self.bundle),
            "source": self.source,
            "part": self.part,
            "which": self.which,
            **self.measures.to_json(),
            "per_class": [asdict(row) for row in self.measures.per_class],
            "confusion": None if confusion is None else confusion.tolist(),
            "missing_classes": list(self.missing_classes),
            "unreadable": [{"path": error.path, "reason": error.reason} for error in self.unreadable],
        }


def evaluate_bundle(
    bundle_path: Path,
    data: DataConfig,
    evaluate: EvaluateConfig,
    *,
    split: str | None = None,
    output: Path | None = None,
    device: str = "cpu",
    trust: bool = False,
    metrics: Mapping[str, Any] | None = None,
    open_data: Callable[[DataConfig], Source] = open_source,
    evaluators: Sequence[Evaluator] = (),
) -> EvaluationReport:
    """Measure a bundle, or the best one of a run, on data; see `evaluate_classifier`.

    Args:
        bundle_path: bundle or run directory.
        data: the data; channels and task are the bundle's.
        evaluate: how to measure; the threshold is the bundle's unless it is set here.
        split: train, val, test or all.
        output: directory for tables.
        device: where to compute, as torch names it.
        trust: import the user's own code when the bundle names it.
        metrics: more measures, as `metrics` of a config.
        open_data: what opens the source.
        evaluators: more of them than `evaluate.evaluators`.

    Raises:
        ConfigError: an entry of `metrics` that can't be used.
        ModelError: the bundle can't be used.
        DataError: no such data or split, classes that the bundle does not have, images that can't be read.
        RunError: the output can't be written.
    """
    classifier = load_classifier(bundle_path, threshold=given_threshold(evaluate), device=device, trust=trust)
    return evaluate_classifier(
        classifier,
        bundle_path,
        data,
        evaluate,
        split=split,
        output=output,
        metrics=metrics,
        open_data=open_data,
        evaluators=evaluators,
    )


def evaluate_classifier(
    classifier: ImageClassifier,
    path: Path,
    data: DataConfig,
    evaluate: EvaluateConfig,
    *,
    split: str | None = None,
    output: Path | None = None,
    metrics: Mapping[str, Any] | None = None,
    open_data: Callable[[DataConfig], Source] = open_source,
    evaluators: Sequence[Evaluator] = (),
    image_size: tuple[int, int] | None = None,
) -> EvaluationReport:
    """Measure what turns images into logits on data.

    The images are decoded in full, as predict does. Targets are matched to the classifier's classes by name.

    Args:
        classifier: in torch or of another runtime.
        path: its bundle, run directory or file.
        data: the data; channels and task are the classifier's.
        evaluate: how to measure; its threshold is the classifier's already.
        split: train, val, test or all. By default the test images; without any, the validation images; without
            any, all images. A run's own data is split as the run was, other data by its own names.
        output: directory for predictions_<part>.csv, per_class.csv and confusion_matrix.csv.
        metrics: more measures, as `metrics` of a config.
        open_data: what opens the source.
        evaluators: more of them than `evaluate.evaluators`.
        image_size: height and width of the only images that the classifier takes; None for any.

    Raises:
        ConfigError: an entry of `metrics` that can't be used.
        ModelError: images that the classifier does not take.
        DataError: no such data or split, classes that the classifier does not have, images that can't be read.
        RunError: the output can't be written.
    """
    task = classifier.task
    user_metrics = make_metrics(metrics or {}, task, evaluate)
    evaluators = (*make_evaluators(evaluate.evaluators), *evaluators)
    chosen = open_part(path, data, task, classifier.preprocessing, split=split, open_data=open_data)
    source, targets, part, positions = chosen.source, chosen.targets, chosen.part, chosen.positions
    images = LenientImages(source.images, blank=image_size or (1, 1))
    logits = classifier.logits(images, positions, batch_size=_batch_size(data), threads=_threads(data))
    check_bad([BadImage(*item) for item in sorted(images.errors.items())], len(positions), data.on_bad_image)
    good = np.array([position not in images.errors for position in positions.tolist()])
    positions, logits = positions[good], logits[good]
    keys = [source.images.key(position) for position in positions.tolist()]
    measures = measure(logits, targets[positions], task, evaluate, user_metrics)
    measures = with_evaluators(measures, evaluators, keys, task)
    if output is not None:
        _write_tables(output, part, keys, logits, targets[positions], task, measures)
    which = _which(part, measures.n, source, chosen.missing)
    unreadable = tuple(error for _, error in sorted(images.errors.items()))
    return EvaluationReport(path, source.name, part, which, measures, chosen.missing, unreadable)


def given_threshold(evaluate: EvaluateConfig) -> float | None:
    """The threshold that the user sets; None for the model's own."""
    return evaluate.threshold if "threshold" in evaluate.model_fields_set else None


def _batch_size(data: DataConfig) -> int:
    sizes = (size for size in (data.eval_batch_size, data.batch_size) if size != "auto")
    return next(sizes, _BATCH_SIZE)


def _threads(data: DataConfig) -> int:
    return torch.get_num_threads() if data.threads == "auto" else data.threads


def _which(part: str, n: int, source: Source, missing: Sequence[str]) -> str:
    images = f"all {several(n, 'image')}" if part == "all" else several(n, f"{part} image")
    absent = f", which has none of {listed(missing)}" if missing else ""
    return f"Measured on {images} of {source.name}{absent}."


def _write_tables(
    output: Path,
    part: str,
    keys: Sequence[str],
    logits: np.ndarray,
    targets: np.ndarray,
    task: Task,
    measures: Measures,
) -> None:
    output.mkdir(parents=True, exist_ok=True)
    write_predictions(output / f"predictions_{part}.csv", keys, logits, targets, task)
    write_per_class(output / "per_class.csv", {part: measures})
    if measures.confusion is not None:
        write_confusion_matrix(output / "confusion_matrix.csv", measures.confusion, task.class_names)
