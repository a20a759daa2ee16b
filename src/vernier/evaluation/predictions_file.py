"""The predictions of a model as `vernier` has written them: predictions_<split>.csv."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import final

from vernier.data.source import LABEL_SEPARATOR
from vernier.data.tables import read_rows
from vernier.errors import DataError

_COLUMNS = ("path", "target", "prediction")
_CLASS = "p_"


@final
@dataclass(frozen=True)
class PredictionsFile:
    """Targets and predictions of a set of images.

    Attributes:
        file: Where they are from.
        class_names: In the order of the file's probabilities.
        labels: By the image's path: its target and its prediction, each as the set of its labels.
    """

    file: Path
    class_names: tuple[str, ...]
    labels: Mapping[str, tuple[frozenset[str], frozenset[str]]]


def find_predictions(place: Path, split: str) -> Path | None:
    """The predictions of a run, of the `best` bundle in a run, or of a directory that `evaluate` wrote, on a split.

    A file is itself.
    """
    if place.is_file():
        return place
    folders = [place, place.parent] if place.name == "best" else [place]
    files = [folder / f"predictions_{split}.csv" for folder in folders]
    return next((file for file in files if file.is_file()), None)


def read_predictions(file: Path) -> PredictionsFile:
    """Read predictions.

    Raises:
        DataError: not readable, without the columns, or with an image twice.
    """
    header, *rows = read_rows(file, "predictions") or [[]]
    missing = [name for name in _COLUMNS if name not in header]
    if missing or not rows:
        lacks = f"has no column {', '.join(missing)}" if missing else "holds no image"
        raise DataError(f"{file}: {lacks}; it is no predictions_<split>.csv of vernier")
    classes = tuple(name.removeprefix(_CLASS) for name in header if name.startswith(_CLASS))
    places = [header.index(name) for name in _COLUMNS]
    labels: dict[str, tuple[frozenset[str], frozenset[str]]] = {}
    for row in rows:
        path, target, prediction = (row[place] for place in places)
        if path in labels:
            raise DataError(f"{file}: holds {path} twice; each image may come once")
        labels[path] = (_labels(target, classes), _labels(prediction, classes))
        unknown = sorted((labels[path][0] | labels[path][1]) - set(classes))
        if unknown:
            raise DataError(f"{file}: {path} has the label {unknown[0]!r}, but there is no column p_{unknown[0]}")
    return PredictionsFile(file, classes, labels)


def _labels(text: str, classes: tuple[str, ...]) -> frozenset[str]:
    """One label, several joined by `|`, or none."""
    if text in classes:
        return frozenset([text])
    return frozenset(text.split(LABEL_SEPARATOR) if text else ())
