"""The whole of `vernier export`: which model, which images to compare on, what goes into the file."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import final

from vernier.config.data import DataConfig
from vernier.config.export import ExportFormat
from vernier.config.root import Config
from vernier.data.source import Source
from vernier.data.subsets import draw_subset
from vernier.deploy.export.export import ExportReport, export_bundle
from vernier.deploy.export.parity import ParityImages, random_images
from vernier.deploy.onnx_info import IMAGE, INPUT, LOGITS, PROBABILITIES
from vernier.errors import ConfigError, ConfigProblem, DataError
from vernier.evaluation.classifier import Classifier, load_classifier
from vernier.evaluation.part import open_part
from vernier.evaluation.reading import LenientImages
from vernier.scenario.overriding import export_outputs

PARITY_IMAGES = 256
"""Validation images that a file is compared on when nobody says."""


@final
@dataclass(frozen=True)
class Comparison:
    """The images that a file is compared on.

    Attributes:
        data: where they are; None for random ones.
        is_named: whether somebody asked for these: then data that can't be opened is an error.
        number: at most; None for all, 0 for no comparison.
        open_data: what opens the source.
    """

    data: DataConfig | None
    is_named: bool
    number: int | None
    open_data: Callable[[DataConfig], Source]


def export_model(
    path: Path,
    config: Config,
    comparison: Comparison,
    *,
    format: ExportFormat,
    output: Path | None = None,
    trust: bool = False,
) -> ExportReport:
    """Write a model to a file, and compare the file with it.

    Args:
        path: A bundle, or a run directory for its best one.
        config: Its `export` says what the file is to be; its `scenario` adds outputs.
        comparison: What to compare on.
        format: onnx or pt2.
        output: The file; `RUN/export/best.onnx`, or one beside the bundle, when not given.
        trust: Import the user's own code when the bundle names it.

    Raises:
        VernierError: anything that the user can mend; nothing is written then.
    """
    classifier = load_classifier(path, trust=trust)
    further = export_outputs(config, classifier.module) if format == "onnx" else {}
    taken = [name for name in further if name in (IMAGE, INPUT, LOGITS, PROBABILITIES)]
    if taken:
        raise ConfigError(
            [ConfigProblem("scenario", f"export_outputs must not use the name {taken[0]}; choose another")]
        )
    images = None if comparison.number == 0 else _images(path, classifier, comparison)
    return export_bundle(path, classifier, config.export, format=format, output=output, images=images, further=further)


def _images(path: Path, classifier: Classifier, comparison: Comparison) -> ParityImages:
    seen = classifier.preprocessing
    if comparison.data is None:
        return random_images(seen, reason="because no data=DIR is given")
    try:
        return _validation_images(path, classifier, comparison.data, comparison)
    except DataError as error:
        if comparison.is_named:
            raise
        return random_images(seen, reason=f"because the run's data can't be opened: {error}")


def _validation_images(path: Path, classifier: Classifier, data: DataConfig, comparison: Comparison) -> ParityImages:
    """Validation images; where there are none test images, else all."""
    task, seen, open_data = classifier.task, classifier.preprocessing, comparison.open_data
    try:
        part = open_part(path, data, task, seen, split="val", open_data=open_data)
    except DataError:
        part = open_part(path, data, task, seen, split=None, open_data=open_data)
    source, positions = part.source, part.positions
    if comparison.number is not None:
        positions = draw_subset(positions, part.targets, source.keys(), comparison.number, 0, "parity")
    which = "all" if len(positions) == len(part.positions) else f"{len(positions)} drawn of {len(part.positions)}"
    kind = "" if part.part == "all" else f" {part.part}"
    return ParityImages(LenientImages(source.images), positions, f"{which}{kind} images of {source.name}")
