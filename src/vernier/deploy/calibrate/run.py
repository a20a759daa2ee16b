"""`vernier calibrate`: a bundle gets its temperature and its reject threshold."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import final

import numpy as np
import torch

from vernier.config.data import DataConfig
from vernier.config.evaluate import EvaluateConfig
from vernier.data.source import Source
from vernier.data.sources import open_source
from vernier.data.store_base import BadImage, check_bad
from vernier.deploy.calibrate.classes import class_thresholds
from vernier.deploy.calibrate.figures import Scored, measure_figures
from vernier.deploy.calibrate.rejection import accept, choose_threshold, lower_bound_of, precision_of
from vernier.deploy.calibrate.report import CalibrationReport, Shown
from vernier.deploy.calibrate.temperature import fit_temperature
from vernier.errors import DataError, RunError
from vernier.evaluation.classifier import Classifier, load_classifier
from vernier.evaluation.finite import check_finite
from vernier.evaluation.part import Part, choose_part, open_part
from vernier.evaluation.reading import LenientImages
from vernier.models.bundle import BundleInfo, bundle_directory, read_info, update_info
from vernier.models.task import Task

_BATCH_SIZE = 32
_FITTED_TRAIN = (
    "warning: fitted on {part} images. A network is surer of images that it was trained on than of others, so on new "
    "ones its confidence will be too high; take images that it has not seen"
)
_MOVED = "The decision threshold {threshold:g} stays, but for calibrated probabilities: answers may differ from before"


def calibrate_bundle(
    path: Path,
    data: DataConfig,
    evaluate: EvaluateConfig,
    *,
    precision: float = 0.95,
    confident: bool = False,
    split: str = "val",
    dry_run: bool = False,
    trust: bool = False,
    open_data: Callable[[DataConfig], Source] = open_source,
) -> CalibrationReport:
    """Fit the temperature of a bundle, choose the threshold below which an image is `unknown`, and store both.

    Args:
        path: a bundle, or a run directory for its best one.
        data: images that the network was not trained on; channels and task are the bundle's.
        evaluate: `calibration_bins`.
        precision: share of the accepted answers that should be right, above 0 and at most 1.
        confident: the lower end of the 95 % interval of that share has to reach it.
        split: val, train or all; never test.
        dry_run: leave the bundle as it is.
        trust: import the user's own code when the bundle names it.
        open_data: what opens the source.

    Raises:
        RunError: a precision that is none; the bundle can't be written.
        ModelError: the bundle can't be used.
        DataError: no such data or images, or test images asked for.
        TrainingError: outputs that are not finite.
    """
    _check(precision, split)
    directory = bundle_directory(path)
    info = read_info(directory)
    classifier = replace(load_classifier(directory, trust=trust), temperature=1.0)
    fitted = open_part(path, data, classifier.task, classifier.preprocessing, split=split, open_data=open_data)
    test = _test_part(path, data, fitted)
    if split == "all" and test is not None:
        raise DataError(f"split=all: {fitted.source.name} has test images, which never choose anything; take val")
    scores = _Scores(classifier, data, evaluate.calibration_bins)
    report = _calibrate(
        scores, fitted, test, directory, info.temperature or 1.0, precision=precision, confident=confident
    )
    if dry_run:
        return report
    _store(directory, info, report)
    return replace(report, written=True)


def _store(directory: Path, info: BundleInfo, report: CalibrationReport) -> None:
    calibrated = replace(
        info,
        temperature=report.temperature,
        reject_threshold=report.rejection.threshold,
        metrics={**info.metrics, "calibration": report.summary()},
    )
    update_info(directory, calibrated)


def _check(precision: float, split: str) -> None:
    if not 0 < precision <= 1:
        raise RunError(f"precision={precision:g}: a share of right answers, above 0 and at most 1, such as 0.95")
    if split == "test":
        raise DataError(
            "split=test: the test set never chooses anything, or its figures would mean nothing; calibrate on val"
        )


def _test_part(path: Path, data: DataConfig, fitted: Part) -> Part | None:
    """The test images of the same source, where it says which they are."""
    name, positions = choose_part(path, fitted.source, data, None)
    return replace(fitted, part=name, positions=positions) if name == "test" else None


@final
class _Scores:
    """What a classifier says of parts."""

    def __init__(self, classifier: Classifier, data: DataConfig, bins: int) -> None:
        self.classifier, self.data, self.bins = classifier, data, bins

    @property
    def task(self) -> Task:
        """What the outputs mean."""
        return self.classifier.task

    def of(self, part: Part) -> Scored:
        """Read and score the images of a part; those that can't be read are an error, or left out."""
        images, data = LenientImages(part.source.images), self.data
        sizes = (size for size in (data.eval_batch_size, data.batch_size) if size != "auto")
        threads = torch.get_num_threads() if data.threads == "auto" else data.threads
        logits = self.classifier.logits(images, part.positions, batch_size=next(sizes, _BATCH_SIZE), threads=threads)
        bad = [BadImage(*item) for item in sorted(images.errors.items())]
        check_bad(bad, len(part.positions), data.on_bad_image)
        good = np.array([position not in images.errors for position in part.positions.tolist()])
        check_finite(logits[good])
        return Scored(part.part, logits[good], part.targets[part.positions[good]])


def _calibrate(
    scores: _Scores,
    fitted: Part,
    test: Part | None,
    directory: Path,
    previous: float,
    *,
    precision: float,
    confident: bool,
) -> CalibrationReport:
    task, scored = scores.task, scores.of(fitted)
    fit = fit_temperature(scored.logits, scored.targets, task)
    criterion = lower_bound_of if confident else precision_of
    rejection = choose_threshold(*scored.answers(task, fit.temperature), precision, criterion)
    parts = [scored] if test is None else [scored, scores.of(test)]
    shown = {
        part.part: Shown(
            len(part.targets),
            measure_figures(part, task, previous, scores.bins),
            measure_figures(part, task, fit.temperature, scores.bins),
            accept(*part.answers(task, fit.temperature), rejection.threshold),
        )
        for part in parts
    }
    return CalibrationReport(
        directory,
        fitted.source.name,
        fitted.part,
        previous,
        fit.temperature,
        precision,
        confident,
        rejection,
        shown,
        class_thresholds(scored.probabilities(task, fit.temperature), scored.targets, task),
        _notes(fitted.part, fit.note, task, previous != fit.temperature),
        written=False,
    )


def _notes(part: str, fit_note: str | None, task: Task, changed: bool) -> tuple[str, ...]:
    notes = [_FITTED_TRAIN.format(part=part)] if part in ("train", "all") else []
    notes += [] if fit_note is None else [f"The temperature stays 1: {fit_note}."]
    moved = changed and task.name != "multiclass" and task.threshold != 0.5
    return (*notes, *([_MOVED.format(threshold=task.threshold)] if moved else []))
