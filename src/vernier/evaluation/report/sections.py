"""The sections of the report, made from a run's data."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vernier.evaluation.calibration import reliability
from vernier.evaluation.report.charts import LineChart, ReliabilityChart, curve_charts, reliability_chart
from vernier.evaluation.report.pictures import Thumbnail, make_thumbnail
from vernier.evaluation.report.run_data import RunData, SplitName
from vernier.evaluation.report.sentences import Fact, facts, headline, identity, lead, notes
from vernier.evaluation.report.tables import (
    SPLIT_WORDS,
    HeatRow,
    Table,
    bins_table,
    confusions_table,
    counts_table,
    heat_rows,
    metrics_table,
    per_class_table,
    versions_table,
)
from vernier.evaluation.run_tables import Confusion, Prediction
from vernier.evaluation.words import NO_BREAK, decimal, percent, several, whole

MOST_HEAT_CLASSES = 30

PictureSource = Callable[[str], np.ndarray | None]
"""From a path of the predictions to a uint8 image (H, W, C), or None when it can't be had."""


@dataclass(frozen=True)
class Matrix:
    """The confusion matrix as a heat table; with more than 30 classes `rows` is empty and `largest` is there."""

    caption: str
    classes: tuple[str, ...]
    rows: tuple[HeatRow, ...]
    largest: Table | None

    @property
    def has_long_names(self) -> bool:
        """Whether the names of the columns have to stand upright."""
        return max(map(len, self.classes)) > 3


@dataclass(frozen=True)
class Mistake:
    """A wrong prediction and its picture; None when the image can't be had."""

    prediction: Prediction
    picture: Thumbnail | None
    measured: str


@dataclass(frozen=True)
class Mistakes:
    """The worst of the wrong predictions, highest loss first, and a sentence about all of them."""

    summary: str
    worst: tuple[Mistake, ...]


@dataclass(frozen=True)
class Confidence:
    """How far the confidence can be believed."""

    summary: str
    chart: ReliabilityChart
    table: Table


@dataclass(frozen=True)
class Page:
    """All that the template shows; a part that the run does not have is None."""

    name: str
    headline: str
    lead: str
    notes: tuple[str, ...]
    metrics: Table | None
    facts: tuple[Fact, ...]
    counts: Table
    charts: tuple[LineChart, ...]
    per_class: Table | None
    matrix: Matrix | None
    mistakes: Mistakes | None
    confidence: Confidence | None
    config_text: str
    command: str
    identity: tuple[Fact, ...]
    versions: Table


def make_page(data: RunData, picture: PictureSource) -> Page:
    """Everything that the report of a run says."""
    result, split = data.result, data.result.evaluated_split
    return Page(
        name=result.name,
        headline=headline(result),
        lead=lead(result),
        notes=notes(result),
        metrics=metrics_table(result) if result.measures is not None else None,
        facts=facts(result),
        counts=counts_table(result),
        charts=curve_charts(data.curves, result.best.epoch if result.best else None),
        per_class=per_class_table(data.per_class, split) if split and data.per_class else None,
        matrix=_matrix(data.confusion) if data.confusion else None,
        mistakes=_mistakes(data, split, picture) if split and data.predictions else None,
        confidence=_confidence(data) if data.predictions and result.task != "multilabel" else None,
        config_text=data.config_text,
        command=result.command,
        identity=identity(result),
        versions=versions_table(result),
    )


def _matrix(confusion: Confusion) -> Matrix:
    few = len(confusion.classes) <= MOST_HEAT_CLASSES
    return Matrix(
        caption=f"{several(int(confusion.counts.sum()), 'image')}: a row for each target, a column for each prediction",
        classes=confusion.classes,
        rows=heat_rows(confusion) if few else (),
        largest=None if few else confusions_table(confusion),
    )


def _mistakes(data: RunData, split: SplitName, picture: PictureSource) -> Mistakes:
    wrong = [prediction for prediction in data.predictions if not prediction.is_right]
    wrong.sort(key=lambda prediction: (-prediction.loss, prediction.path))
    worst = wrong[: data.evaluate.worst]
    summary = _mistakes_summary(len(wrong), len(worst), several(len(data.predictions), f"{SPLIT_WORDS[split]} image"))
    return Mistakes(summary, tuple(_mistake(prediction, picture) for prediction in worst))


def _mistakes_summary(wrong: int, shown: int, images: str) -> str:
    if wrong == 0:
        return f"There are none: all of {images} are right."
    start = f"{whole(wrong)} of {images} {'is' if wrong == 1 else 'are'} wrong"
    if shown == 0:
        return f"{start}; pictures are switched off by evaluate.worst=0."
    if shown == wrong:
        return f"{start}, here with the highest loss first."
    return f"{start}; here are the {whole(shown)} with the highest loss."


def _mistake(prediction: Prediction, picture: PictureSource) -> Mistake:
    image = picture(prediction.path)
    return Mistake(
        prediction=prediction,
        picture=None if image is None else make_thumbnail(image),
        measured=f"{percent(prediction.confidence)}{NO_BREAK}sure, loss{NO_BREAK}{prediction.loss:.2f}",
    )


def _confidence(data: RunData) -> Confidence:
    confidence = np.array([prediction.confidence for prediction in data.predictions])
    right = np.array([prediction.is_right for prediction in data.predictions])
    result = reliability(confidence, right, data.evaluate.calibration_bins)
    bins, images = several(len(result.counts), "bin"), several(len(right), "image")
    return Confidence(
        summary=f"Confidence and accuracy differ by {decimal(result.expected_calibration_error)} on average "
        f"(expected calibration error, {bins}, {images}). Bars on the diagonal would be perfect; "
        "bars below it are overconfident.",
        chart=reliability_chart(result),
        table=bins_table(result),
    )
