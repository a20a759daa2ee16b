"""Which images of a source a model is measured on, or learns its scales from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np

from vernier.augment.preprocess import Preprocessing
from vernier.config.data import DataConfig
from vernier.data.source import Source
from vernier.data.sources import open_source
from vernier.data.splits import split_source
from vernier.data.tables import read_rows
from vernier.data.wording import did_you_mean, listed
from vernier.errors import DataError
from vernier.models.task import Task

_PARTS = ("train", "val", "test")


@final
@dataclass(frozen=True)
class Part:
    """Some samples of a source, seen by a model.

    Attributes:
        source: where images come from, with the model's channels.
        targets: of all samples, in the model's order of classes; int64 (N,) or, multilabel, uint8 (N, C).
        missing: classes of the model that the source lacks.
        part: train, val, test or all.
        positions: int64 (n,), the samples.
    """

    source: Source
    targets: np.ndarray
    missing: tuple[str, ...]
    part: str
    positions: np.ndarray


def open_part(
    path: Path,
    data: DataConfig,
    task: Task,
    preprocessing: Preprocessing,
    *,
    split: str | None,
    open_data: Callable[[DataConfig], Source] = open_source,
) -> Part:
    """Open a source as a model sees it, and choose a part of it.

    Args:
        path: the bundle, run directory or file in RUN/export; a run's own data is split as the run was, other data by
            its own names.
        data: the data; channels and task are the model's.
        task: the model's.
        preprocessing: the model's.
        split: train, val, test or all. None for the test images; without any, the validation images; without any,
            all images.
        open_data: what opens the source.

    Raises:
        DataError: no such data or part, or classes that the model does not have.
    """
    seen = {"channels": preprocessing.channels, "value_range": preprocessing.value_range, "task": task.name}
    source = open_data(data.model_copy(update=seen))
    targets, missing = _targets(source, task)
    return Part(source, targets, missing, *choose_part(path, source, data, split))


def _targets(source: Source, task: Task) -> tuple[np.ndarray, tuple[str, ...]]:
    """The source's targets in the bundle's order of classes, and the classes that the source lacks."""
    unknown = [name for name in source.class_names if name not in task.class_names]
    if unknown:
        hint = did_you_mean(unknown[0], task.class_names)
        raise DataError(
            f"{source.name} has classes that the bundle does not know: {listed(unknown)}.{hint} The bundle's "
            f"classes are {listed(task.class_names)}; choose the data's with data.class_names"
        )
    if source.multilabel != (task.name == "multilabel"):
        kinds = ("one label an image", "several labels an image")
        raise DataError(
            f"{source.name} has {kinds[source.multilabel]}, but the bundle was trained on "
            f"{kinds[not source.multilabel]}; take data of the same kind"
        )
    places = np.array([task.class_names.index(name) for name in source.class_names])
    missing = tuple(name for name in task.class_names if name not in source.class_names)
    if not source.multilabel:
        return places[source.targets], missing
    targets = np.zeros((len(source.targets), len(task.class_names)), dtype=np.uint8)
    targets[:, places] = source.targets
    return targets, missing


def choose_part(path: Path, source: Source, data: DataConfig, split: str | None) -> tuple[str, np.ndarray]:
    """The part to measure and its positions, int64.

    Args:
        path: a bundle or run directory, or a file in RUN/export; the run's split.csv counts for its own data.
        source: the data.
        data: how it is split otherwise.
        split: train, val, test or all; None for test, else val, else all.

    Raises:
        DataError: no such part, or an empty one.
    """
    if split not in (None, "all", *_PARTS):
        raise DataError(f"split={split}: choose train, val, test or all")
    if split == "all":
        return "all", np.arange(len(source.targets))
    names = _known_parts(path, source, data)
    if split is None:
        part = next((part for part in ("test", "val") if part in names), None)
        return ("all", np.arange(len(names))) if part is None else (part, np.flatnonzero(names == part))
    drawn = getattr(split_source(source, data), split) if "" in names else np.flatnonzero(names == split)
    if len(drawn) == 0:
        raise DataError(f"split={split}: {source.name} has no {split} images; choose another one, or all")
    return split, drawn


def _known_parts(path: Path, source: Source, data: DataConfig) -> np.ndarray:
    """The part of each sample that a split file or the source names, (N,); empty strings for none."""
    if data.split.file is not None:
        split = split_source(source, data)
        names = np.full(len(source.targets), "", dtype="<U5")
        for part in _PARTS:
            names[getattr(split, part)] = part
        return names
    # A run, a bundle in it, a file in its directory of exports.
    saved = _saved_parts([place / "split.csv" for place in (path, *path.absolute().parents[:2])], source, data)
    return np.array(source.split, dtype="<U5") if saved is None else saved


def _saved_parts(files: Sequence[Path], source: Source, data: DataConfig) -> np.ndarray | None:
    """The parts that a run gave these very images and labels, from its split.csv; None for other data."""
    file = next((file for file in files if file.is_file()), None)
    if file is None:
        return None
    saved = {(key, label): part for key, label, part in read_rows(file, "split.csv")[1:]}
    samples = list(zip(source.keys(), source.labels(), strict=True))
    # A run that skipped unreadable images does not list them.
    same = saved.keys() <= set(samples) if data.on_bad_image == "skip" else saved.keys() == set(samples)
    return np.array([saved.get(sample, "") for sample in samples], dtype="<U5") if same else None
