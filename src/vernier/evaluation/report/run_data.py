"""What a report is made of: the files of a run directory in typed form."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from vernier.config.evaluate import EvaluateConfig
from vernier.errors import RunError
from vernier.evaluation.run_tables import (
    ClassRow,
    Confusion,
    Curves,
    Prediction,
    read_confusion,
    read_curves,
    read_per_class,
    read_predictions,
)

Table = TypeVar("Table")
SplitName = Literal["val", "test"]
Measures = Mapping[str, float | None]
"""Metric -> value, with the number of images as `n`; None for what is not defined."""


@dataclass(frozen=True)
class ModelFacts:
    """The model as result.json has it."""

    name: str
    provider: str
    parameters: int
    trainable: int


@dataclass(frozen=True)
class DataFacts:
    """The data as result.json has them; `skipped` is why -> number of files, `unreadable` are bad images."""

    source: str
    content_hash: str
    skipped: Mapping[str, int]
    unreadable: int = 0


@dataclass(frozen=True)
class BestEpoch:
    """The epoch chosen by `monitor` on the validation set."""

    epoch: int
    monitor: str
    val: Measures


@dataclass(frozen=True)
class FinalEpoch:
    """The last epoch; `val` is None without a validation set."""

    epoch: int
    val: Measures | None = None


@dataclass(frozen=True)
class Result:
    """result.json as far as the report shows it."""

    status: str
    name: str
    seed: int
    task: str
    model: ModelFacts
    epochs: int
    steps: int
    seconds: float
    images_per_second: float | None
    stopped_early: str | None
    classes: tuple[str, ...]
    counts: Mapping[str, Mapping[str, int]]
    data: DataFacts
    best: BestEpoch | None
    final: FinalEpoch | None
    test: Measures | None
    test_note: str
    command: str
    versions: Mapping[str, str]

    @property
    def evaluated_split(self) -> SplitName | None:
        """The split that the report shows in detail: test, else val, else none."""
        if self.test is not None:
            return "test"
        return "val" if self.best is not None else None

    @property
    def measures(self) -> Measures | None:
        """What was measured on `evaluated_split`."""
        return self.test if self.test is not None else self.best.val if self.best else None


@dataclass(frozen=True)
class RunData:
    """Everything a report shows, apart from pictures. A part that the run does not have is None or empty."""

    result: Result
    config_text: str
    evaluate: EvaluateConfig
    curves: Curves
    per_class: tuple[ClassRow, ...]
    confusion: Confusion | None
    predictions: tuple[Prediction, ...]


def read_run(run: Path) -> RunData:
    """Read a run directory.

    Raises:
        RunError: result.json, config.yaml or metrics.csv is missing, or a file is damaged.
    """
    result = read_result(run / "result.json")
    config_text = _read_text(run / "config.yaml")
    split = result.evaluated_split
    per_class = _read_if_there(run / "per_class.csv", read_per_class) or ()
    return RunData(
        result=result,
        config_text=config_text,
        evaluate=_evaluate_section(run / "config.yaml", config_text),
        curves=read_curves(run / "metrics.csv"),
        per_class=tuple(row for row in per_class if row.split == split),
        confusion=_read_if_there(run / "confusion_matrix.csv", read_confusion),
        predictions=_read_if_there(run / f"predictions_{split}.csv", read_predictions) or (),
    )


def read_result(path: Path) -> Result:
    """Read a run's result.json.

    Raises:
        RunError: it is missing, or damaged.
    """
    try:
        return TypeAdapter(Result).validate_json(_read_text(path))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise RunError(f"{path}: {key}: {first['msg']}; train again, or restore the file") from None


def _evaluate_section(path: Path, text: str) -> EvaluateConfig:
    try:
        tree: Any = yaml.safe_load(text) or {}
        return EvaluateConfig.model_validate(tree.get("evaluate") or {})
    except (yaml.YAMLError, AttributeError, ValidationError) as error:
        raise RunError(f"{path}: not a resolved config: {error}; restore the file") from None


def _read_if_there(path: Path, read: Callable[[Path], Table]) -> Table | None:
    return read(path) if path.exists() else None


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"{path}: not readable: {error}; name a run directory that has it") from None
