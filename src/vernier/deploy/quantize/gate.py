"""What quantization costs: the float bundle, the float ONNX file and the int8 one on the same images."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, final

import numpy as np
import torch

from vernier.augment.preprocess import Preprocessing
from vernier.config.data import DataConfig
from vernier.config.evaluate import EvaluateConfig
from vernier.data.source import Source
from vernier.data.store_base import BadImage, check_bad
from vernier.errors import DataError
from vernier.evaluation.compare import compare_predictions
from vernier.evaluation.metrics import Measures, measure, probabilities_of
from vernier.evaluation.part import Part, open_part
from vernier.evaluation.reading import LenientImages
from vernier.evaluation.words import several
from vernier.models.task import Task

PARTS = ("test", "val")
"""What may decide; the training images calibrate."""

_AT_ONCE = 64
"""Decoded images in memory."""
_BATCH_SIZE = 32
_SEED = 0
_PART_NAMES = {"val": "validation", "test": "test"}


class Model(Protocol):
    """What gives logits: a bundle's classifier or an ONNX file's."""

    def logits(
        self, images: Sequence[np.ndarray], indices: Sequence[int] | np.ndarray, *, batch_size: int, threads: int
    ) -> np.ndarray:
        """float32 (len(indices), num_outputs), divided by the temperature."""
        ...


@final
@dataclass(frozen=True)
class Drop:
    """What the last of several models loses to the first.

    Attributes:
        measure: accuracy, or for several labels exact_match.
        points: Lost, in points of %; below 0 where it gains.
        low: Lower end of its 95 % interval (paired bootstrap over the images).
        high: Upper end.
        p: Of McNemar's test, mid-p.
        only_float: Images that only the first gets right.
        only_int8: Images that only the last gets right.
    """

    measure: str
    points: float
    low: float
    high: float
    p: float
    only_float: int
    only_int8: int

    def within(self, max_drop: float | None) -> bool:
        """Whether it loses no more than some points; anything goes with None."""
        return max_drop is None or self.points <= max_drop + 1e-9


@final
@dataclass(frozen=True)
class Measured:
    """Several models on the same images.

    Attributes:
        which: The images in words.
        part: test or val.
        n: Images.
        measures: By model.
        agreement: By model: share of images that it decides as the first does.
        drop: Of the last against the first.
    """

    which: str
    part: str
    n: int
    measures: Mapping[str, Measures]
    agreement: Mapping[str, float]
    drop: Drop


def open_images(
    path: Path,
    data: DataConfig,
    task: Task,
    preprocessing: Preprocessing,
    *,
    split: str | None,
    open_data: Callable[[DataConfig], Source],
) -> Part:
    """The images that decide: test, else validation; those of neither calibrate.

    Data without splits of its own is divided as a training would divide it, so no image is in two parts.

    Args:
        path: The run or bundle, whose split counts for its own data.
        data: The data.
        task: The model's.
        preprocessing: The model's.
        split: test or val; None for the first that there is.
        open_data: What opens the source.

    Raises:
        DataError: another split, no such images, or anything wrong with the data.
    """
    if split not in (None, *PARTS):
        raise DataError(f"split={split}: choose test or val; training images calibrate, so they can't decide")
    part = open_part(path, data, task, preprocessing, split=split, open_data=open_data)
    if part.part != "all":
        return part
    return open_part(path, data, task, preprocessing, split="val", open_data=open_data)


def run_models(
    models: Mapping[str, Model], part: Part, task: Task, data: DataConfig, evaluate: EvaluateConfig
) -> Measured:
    """Run models on the same images; each is decoded once.

    Args:
        models: By name; the first is what the others are compared with.
        part: The images.
        task: The models'.
        data: Threads, and what to do with unreadable images.
        evaluate: How to measure.

    Raises:
        DataError: images that can't be read.
        TrainingError: outputs that are not finite.
    """
    logits, targets = compute_logits(models, part, data)
    measures = {name: measure(values, targets, task, evaluate) for name, values in logits.items()}
    decisions = {name: task.decide(probabilities_of(values, task)) for name, values in logits.items()}
    first = next(iter(decisions.values()))
    agreement = {name: _agreement(first, each) for name, each in decisions.items()}
    drop = _drop(targets, first, list(decisions.values())[-1], task)
    return Measured(_which(part, len(targets)), part.part, len(targets), measures, agreement, drop)


def compute_logits(
    models: Mapping[str, Model], part: Part, data: DataConfig
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """float32 (n, num_outputs) by model, and the targets of the images that could be read.

    Raises:
        DataError: images that can't be read.
    """
    images, threads = LenientImages(part.source.images), count_threads(data)
    parts: dict[str, list[np.ndarray]] = {name: [] for name in models}
    for decoded in _decoded(images, part.positions, threads):
        for name, model in models.items():
            parts[name].append(model.logits(decoded, range(len(decoded)), batch_size=batch_size(data), threads=threads))
    check_bad([BadImage(*item) for item in sorted(images.errors.items())], len(part.positions), data.on_bad_image)
    good = np.array([position not in images.errors for position in part.positions.tolist()])
    return {name: np.concatenate(values)[good] for name, values in parts.items()}, part.targets[part.positions[good]]


def _decoded(images: LenientImages, positions: np.ndarray, threads: int) -> Iterator[list[np.ndarray]]:
    with ThreadPoolExecutor(max(1, threads), thread_name_prefix="vernier-decode") as pool:
        for start in range(0, len(positions), _AT_ONCE):
            yield list(pool.map(images.__getitem__, positions[start : start + _AT_ONCE].tolist()))


def _agreement(first: np.ndarray, second: np.ndarray) -> float:
    same = first == second
    return float((same.all(axis=1) if same.ndim == 2 else same).mean())


def _drop(targets: np.ndarray, first: np.ndarray, last: np.ndarray, task: Task) -> Drop:
    marked = [_indicators(labels, len(task.class_names)) for labels in (targets, first, last)]
    comparison = compare_predictions(Path("float"), Path("int8"), *marked, seed=_SEED)
    name = decisive_measure(task)
    found = comparison.measures[next(iter(comparison.measures))]
    # Adding 0 makes -0.0 a plain one.
    points = (-100 * found.difference + 0.0, -100 * found.high + 0.0, -100 * found.low + 0.0)
    return Drop(name, *points, comparison.test.mid_p, comparison.only_first, comparison.only_second)


def _indicators(labels: np.ndarray, classes: int) -> np.ndarray:
    """bool (N, C): which labels each image has."""
    return labels.astype(bool) if labels.ndim == 2 else np.arange(classes) == labels[:, None]


def _which(part: Part, n: int) -> str:
    return f"{several(n, f'{_PART_NAMES[part.part]} image')} of {part.source.name}"


def decisive_measure(task: Task) -> str:
    """What a drop is counted in: whole decisions that are right."""
    return "exact_match" if task.name == "multilabel" else "accuracy"


def batch_size(data: DataConfig) -> int:
    """Images at once, where a network takes several."""
    sizes = (size for size in (data.eval_batch_size, data.batch_size) if size != "auto")
    return next(sizes, _BATCH_SIZE)


def count_threads(data: DataConfig) -> int:
    """Threads that decode and compute."""
    return torch.get_num_threads() if data.threads == "auto" else data.threads
