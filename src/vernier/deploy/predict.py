"""Classifying image files."""

import glob
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import torch

from vernier.config.data import DataConfig
from vernier.data.images import FileImages
from vernier.data.sources.folders import EXTENSIONS
from vernier.data.wording import listed
from vernier.errors import DataError
from vernier.evaluation import tables
from vernier.evaluation.classifier import load_classifier
from vernier.evaluation.metrics import check_finite, probabilities_of
from vernier.evaluation.reading import LenientImages
from vernier.evaluation.words import percent, several
from vernier.models.task import Task

_MAX_PIXELS: int = DataConfig().max_pixels
_PATTERN_SIGNS = "*?["


@final
@dataclass(frozen=True)
class Prediction:
    """What the model says of one image.

    Attributes:
        path: the file, as it was asked for.
        prediction: the class; multilabel: the labels from the threshold on, joined by `|`.
        confidence: probability of the prediction; multilabel: of the least certain decision.
        top: the `top_k` most probable classes and their probabilities, the most probable first.
        probabilities: float32 (C,), in the order of the classes.
    """

    path: str
    prediction: str
    confidence: np.float32
    top: tuple[tuple[str, np.float32], ...]
    probabilities: np.ndarray


@final
@dataclass(frozen=True)
class Failure:
    """A file that can't be read, and why."""

    path: str
    reason: str


@final
@dataclass(frozen=True)
class PredictResult:
    """Predictions and failures, in the order of the inputs."""

    class_names: tuple[str, ...]
    rows: tuple[Prediction, ...]
    failures: tuple[Failure, ...]


def predict(
    bundle_path: Path,
    inputs: Sequence[Path],
    *,
    batch_size: int = 32,
    threads: int | None = None,
    top_k: int = 1,
    device: str = "cpu",
    trust: bool = False,
    max_pixels: int = _MAX_PIXELS,
) -> PredictResult:
    """Classify image files; those that can't be read do not stop the others.

    Args:
        bundle_path: bundle or run directory.
        inputs: files, directories (all images below them, hidden ones apart) and patterns such as `a/*.jpg`.
        batch_size: images at once.
        threads: threads that read images; by default as many as torch computes with.
        top_k: how many of the most probable classes each prediction lists.
        device: where to compute, as torch names it.
        trust: import the user's own code when the bundle names it.
        max_pixels: larger images are failures.

    Raises:
        ModelError: the bundle can't be used.
        DataError: an input that does not exist, or no images at all.
    """
    classifier = load_classifier(bundle_path, device=device, trust=trust)
    paths = find_images(inputs)
    seen = classifier.preprocessing
    images = LenientImages(FileImages(Path(), paths, seen.channels, max_pixels, seen.value_range))
    threads = torch.get_num_threads() if threads is None else threads
    logits = classifier.logits(images, range(len(paths)), batch_size=batch_size, threads=threads)
    failures = tuple(Failure(paths[index], error.reason) for index, error in sorted(images.errors.items()))
    good = [index for index in range(len(paths)) if index not in images.errors]
    rows = _rows([paths[index] for index in good], logits[good], classifier.task, top_k)
    return PredictResult(classifier.task.class_names, tuple(rows), failures)


def find_images(inputs: Sequence[Path]) -> list[str]:
    """The files that inputs stand for, each once; what a directory or pattern stands for is sorted.

    Raises:
        DataError: an input that does not exist or can't be listed, or no images at all.
    """
    paths = list(dict.fromkeys(path for item in inputs for path in _expand(item)))
    if not paths:
        raise DataError(f"no images in {listed([str(item) for item in inputs])}; name image files or directories")
    return paths


def _expand(item: Path) -> list[str]:
    if item.is_dir():
        return _walk(item)
    if os.path.lexists(item):
        return [str(item)]
    if not any(sign in str(item) for sign in _PATTERN_SIGNS):
        raise DataError(f"{item}: no such file or directory; check the path")
    found = sorted(glob.glob(str(item), recursive=True))  # noqa: PTH207
    if not found:
        raise DataError(f"{item}: no file has a name like this; check the pattern")
    return [path for match in found for path in (_walk(Path(match)) if Path(match).is_dir() else [match])]


def _walk(directory: Path) -> list[str]:
    """Image files below a directory by their extension, without hidden files and directories."""

    def refuse(error: OSError) -> None:
        raise DataError(f"{error.filename}: can't be listed: {error.strerror}; check its permissions")

    found: list[str] = []
    for parent, folders, files in os.walk(directory, onerror=refuse):
        folders[:] = (name for name in folders if not name.startswith("."))
        visible = (name for name in files if not name.startswith("."))
        found += (str(Path(parent, name)) for name in visible if _extension(name) in EXTENSIONS)
    return sorted(found)


def _extension(name: str) -> str:
    return Path(name).suffix[1:].casefold()


def _rows(paths: Sequence[str], logits: np.ndarray, task: Task, top_k: int) -> Iterator[Prediction]:
    if not paths:
        return
    check_finite(logits)
    probabilities = probabilities_of(logits, task)
    ranked = np.argsort(-probabilities, axis=1, kind="stable")[:, :top_k]
    answers = zip(task.labels(task.decide(probabilities)), task.confidence(probabilities), strict=True)
    for path, (label, confidence), order, row in zip(paths, answers, ranked, probabilities, strict=True):
        top = tuple((task.class_names[index], row[index]) for index in order)
        yield Prediction(path, label, confidence, top, row)


def write_csv(path: Path, result: PredictResult, *, probabilities: bool = False) -> None:
    """Write path,prediction,confidence[,top1,p_top1,top2,...][,p_<class>...] with a row a prediction.

    The columns of the most probable classes are there when the prediction was made with `top_k` above 1.

    Raises:
        RunError: the file can't be written.
    """
    top_k = max((len(row.top) for row in result.rows), default=0)
    ranks = [name for rank in range(1, top_k + 1) for name in (f"top{rank}", f"p_top{rank}")] if top_k > 1 else []
    classes = tables.probability_columns(result.class_names) if probabilities else []
    rows = (
        [
            *(row.path, row.prediction, str(row.confidence)),
            *([str(cell) for pair in row.top for cell in pair] if ranks else []),
            *(tables.numbers(row.probabilities) if classes else []),
        ]
        for row in result.rows
    )
    tables.write_csv(path, ["path", "prediction", "confidence", *ranks, *classes], rows)


def write_json_lines(path: Path, result: PredictResult, *, probabilities: bool = False) -> None:
    """Write a line a prediction, each an object as `to_json` has them.

    Raises:
        RunError: the file can't be written.
    """
    rows = to_json(result, probabilities=probabilities)["predictions"]
    tables.write_text(path, "".join(json.dumps(row) + "\n" for row in rows))


def to_json(result: PredictResult, *, probabilities: bool = False) -> dict[str, Any]:
    """Predictions and failures as JSON values, with all probabilities on request."""
    rows = [_row_json(row) for row in result.rows]
    if probabilities:
        for values, row in zip(rows, result.rows, strict=True):
            shares = map(_number, row.probabilities)
            values["probabilities"] = dict(zip(result.class_names, shares, strict=True))
    failures = [{"path": failure.path, "reason": failure.reason} for failure in result.failures]
    return {"predictions": rows, "failures": failures}


def to_text(result: PredictResult) -> str:
    """A table of the predictions, then the files that can't be read."""
    lines = []
    if result.rows:
        rows = [(row.path, row.prediction, percent(float(row.confidence)), *_other_ranks(row)) for row in result.rows]
        width = len(rows[0]) - 3
        lines += tables.aligned([("path", "prediction", "confidence", *(f"top {i + 2}" for i in range(width))), *rows])
    if result.failures:
        lines.append(f"{several(len(result.failures), 'file')} can't be read:")
        lines += [f"  {failure.path}: {failure.reason}" for failure in result.failures]
    # A file name may hold bytes that are no text.
    return "\n".join(lines).encode(errors="replace").decode()


def _other_ranks(row: Prediction) -> list[str]:
    return [f"{name} {percent(float(share))}" for name, share in row.top[1:]]


def _row_json(row: Prediction) -> dict[str, Any]:
    return {
        "path": row.path,
        "prediction": row.prediction,
        "confidence": _number(row.confidence),
        "top": [{"class": name, "probability": _number(share)} for name, share in row.top],
    }


def _number(value: np.float32) -> float:
    """The float with the shortest text that stands for the same float32."""
    return float(str(value))
