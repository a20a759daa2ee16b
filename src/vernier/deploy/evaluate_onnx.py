"""Measuring an ONNX file on data."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from vernier.config.data import DataConfig
from vernier.config.root import Config
from vernier.data.source import Source
from vernier.data.sources import open_source
from vernier.deploy.foreign import describe_foreign, is_foreign
from vernier.deploy.onnx_classifier import OnnxClassifier, load_onnx
from vernier.evaluation.evaluate import EvaluationReport, evaluate_classifier, given_threshold
from vernier.evaluation.evaluators import Evaluator


def evaluate_onnx(
    path: Path,
    config: Config,
    *,
    split: str | None = None,
    output: Path | None = None,
    open_data: Callable[[DataConfig], Source] = open_source,
    evaluators: Sequence[Evaluator] = (),
) -> EvaluationReport:
    """Measure an ONNX file, through onnxruntime, on the images that a bundle would be measured on.

    Args:
        path: The file; what is in RUN/export is split as the run was.
        config: `data`, `evaluate` and `metrics`; for files of other programs what `describe_foreign` reads, too.
        split: train, val, test or all; see `evaluate_classifier`.
        output: Directory for tables.
        open_data: What opens the source.
        evaluators: More of them than `evaluate.evaluators`.

    Raises:
        VernierError: see `load_onnx`, `describe_foreign` and `evaluate_classifier`.
    """
    info = describe_foreign(path, config) if is_foreign(path) else None
    classifier = _with_threshold(load_onnx(path, info), given_threshold(config.evaluate))
    return evaluate_classifier(
        classifier,
        path,
        config.data,
        config.evaluate,
        split=split,
        output=output,
        metrics=config.metrics,
        open_data=open_data,
        evaluators=evaluators,
        image_size=classifier.image_size,
    )


def _with_threshold(classifier: OnnxClassifier, threshold: float | None) -> OnnxClassifier:
    if threshold is None:
        return classifier
    return replace(classifier, task=replace(classifier.task, threshold=threshold))
