"""Measures of torchmetrics' classification family, under names of the user's own.

Each is computed once on the probabilities of a whole set, by an object made for it. torchmetrics is imported only when
there is something to measure with it.
"""

import functools
import inspect
import logging
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, final

import numpy as np
import torch

from vernier.config.checks.evaluate import metric_findings
from vernier.config.evaluate import EvaluateConfig
from vernier.data.wording import did_you_mean
from vernier.errors import ConfigError, ConfigProblem
from vernier.evaluation.metrics import metric_names
from vernier.evaluation.torchmetrics_names import UnusableMetric, capital, find_metric, function_name
from vernier.models.task import Task

if TYPE_CHECKING:
    import torchmetrics

_NOT_TAKEN = ("self", "kwargs", "task", "num_classes", "num_labels", "validate_args", "multidim_average")
_MOST_PROBED = 8
_FILLED = ("num_classes", "num_labels", "threshold", "sync_on_compute")


@final
@dataclass(frozen=True)
class Metric:
    """One measure.

    Attributes:
        names: of its values: its own, or one for each class.
        kind: the class of torchmetrics.
        arguments: of the class.
    """

    names: tuple[str, ...]
    kind: "type[torchmetrics.Metric]"
    arguments: Mapping[str, Any]

    @property
    def mode(self) -> Literal["min", "max"]:
        """Whether lower or higher values are better."""
        lower = self.kind.higher_is_better is False or self.kind.__name__.endswith("EER")
        return "min" if lower else "max"

    def compute(self, probabilities: torch.Tensor, targets: torch.Tensor) -> dict[str, float]:
        """The values by name."""
        values = _result(self.kind, self.arguments, probabilities, targets).double().reshape(-1)
        return dict(zip(self.names, values.tolist(), strict=True))


@final
@dataclass(frozen=True)
class Metrics:
    """All measures of `metrics`."""

    metrics: tuple[Metric, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Of all values, in order."""
        return tuple(name for metric in self.metrics for name in metric.names)

    def mode_of(self, name: str) -> Literal["min", "max"]:
        """Whether lower or higher values of one of `names` are better."""
        return next(metric.mode for metric in self.metrics if name in metric.names)

    def compute(self, probabilities: np.ndarray, targets: np.ndarray) -> dict[str, float]:
        """The values over a whole set.

        Args:
            probabilities: float32 (N, C), as the task gives them; binary: of the negative and the positive class.
            targets: int64 (N,) or, multilabel, uint8 (N, C).

        Returns:
            A number for each of `names`; nan where the set leaves it undefined.
        """
        if not self.metrics:
            return {}
        labels = torch.from_numpy(targets.astype(np.int64))
        scores = torch.from_numpy(probabilities)
        values: dict[str, float] = {}
        for metric in self.metrics:
            values |= metric.compute(_scores(metric.kind, scores), labels)
        return values


def make_metrics(metrics: Mapping[str, Any], task: Task, evaluate: EvaluateConfig) -> Metrics:
    """The measures of `metrics`, tried on a few made-up probabilities so that nothing is wrong later.

    Args:
        metrics: name -> name of a measure of torchmetrics, or a mapping of `name` and keyword arguments. The name is
            that of a function (`multiclass_f1_score`), of a class (`MulticlassF1Score`), or without a task in it
            (`f1_score`): then it is the task's form with the defaults of the class without a task (`F1Score`).
        task: gives classes and threshold.
        evaluate: says with `top_k` which built-in names are taken.

    Raises:
        ConfigError: all problems: unknown names and arguments, measures of another task, results that are no
            numbers, names that are taken.
    """
    problems = [ConfigProblem(finding.key, finding.message) for finding in metric_findings(metrics)]
    made: list[Metric] = []
    names = list(metric_names(task.name, len(task.class_names), evaluate))
    for name, entry in metrics.items():
        if any(problem.key == f"metrics.{name}" for problem in problems):
            continue
        try:
            metric = _make_metric(name, {"name": entry} if isinstance(entry, str) else entry, task)
        except UnusableMetric as error:
            problems.append(ConfigProblem(f"metrics.{name}", str(error)))
            continue
        problems.extend(_clashes(name, metric, names))
        names.extend(metric.names)
        made.append(metric)
    if problems:
        raise ConfigError(problems)
    return Metrics(tuple(made))


def _clashes(name: str, metric: Metric, names: list[str]) -> Iterator[ConfigProblem]:
    taken = [value for value in metric.names if value in names]
    if taken:
        message = f"results have a measure {taken[0]!r} already; choose another name, such as my_{name}"
        yield ConfigProblem(f"metrics.{name}", message)


def _make_metric(name: str, entry: Mapping[str, Any], task: Task) -> Metric:
    kind, defaults = find_metric(entry["name"], task.name)
    given = {key: value for key, value in entry.items() if key != "name"}
    arguments = {**_arguments(kind, given, defaults), **_filled(kind, given, task), "sync_on_compute": False}
    return Metric(_value_names(name, kind, arguments, task), kind, arguments)


def _arguments(
    kind: "type[torchmetrics.Metric]", given: Mapping[str, Any], defaults: Mapping[str, Any]
) -> dict[str, Any]:
    """The arguments given, checked by name, over the defaults that the class takes."""
    parameters = {
        name: parameter
        for name, parameter in inspect.signature(kind.__init__).parameters.items()
        if name not in _NOT_TAKEN
    }
    takes = f"it takes {', '.join(parameters)}" if parameters else "it takes no arguments"
    for name in given:
        if name not in parameters:
            raise UnusableMetric(
                f"{kind.__name__} has no argument {name!r} here.{did_you_mean(name, parameters)} {capital(takes)}"
            )
    values = {**{name: value for name, value in defaults.items() if name in parameters}, **given}
    # Where a float is meant, torchmetrics refuses whole numbers.
    floats = {n: float(v) for n, v in values.items() if type(v) is int and parameters[n].annotation is float}
    missing = [n for n, parameter in parameters.items() if parameter.default is parameter.empty and n not in values]
    if missing:
        example = f"{{name: {function_name(kind)}, {missing[0]}: 0.5}}"
        raise UnusableMetric(f"{kind.__name__} needs {' and '.join(missing)}; such as {example}")
    return values | floats


def _filled(kind: "type[torchmetrics.Metric]", given: Mapping[str, Any], task: Task) -> dict[str, Any]:
    """What follows from the task."""
    # torchmetrics counts labels above the threshold, Vernier those from it on.
    below = max(0.0, float(np.nextafter(np.float32(task.threshold), np.float32(-1))))
    classes = len(task.class_names)
    values = {"num_classes": classes, "num_labels": classes, "threshold": below}
    parameters = inspect.signature(kind.__init__).parameters
    return {name: value for name, value in values.items() if name in parameters and name not in given}


def _value_names(
    name: str, kind: "type[torchmetrics.Metric]", arguments: Mapping[str, Any], task: Task
) -> tuple[str, ...]:
    """Names of the values, from the shape of a result."""
    probabilities, targets = _made_up(task)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            metric = kind(**arguments)
            metric.update(_scores(kind, probabilities), targets)
            shape = tuple(_value(metric.compute()).shape)
    except (ValueError, TypeError, RuntimeError, IndexError) as error:
        # Some arguments are not checked by torchmetrics itself: they fail where they are used.
        given = ", ".join(f"{key}={value!r}" for key, value in arguments.items() if key not in _FILLED)
        raise UnusableMetric(f"{kind.__name__} does not take these values ({given}): {error}; change them") from None
    if not shape:
        return (name,)
    if shape == (len(task.class_names),):
        return tuple(f"{name}_{class_name}" for class_name in task.class_names)
    raise UnusableMetric(
        f"{kind.__name__} gives {shape} numbers here, neither one nor one for each class; leave it out"
    )


def _made_up(task: Task) -> tuple[torch.Tensor, torch.Tensor]:
    """Different probabilities (n, C) of a few images, and targets; n is not C, so that no mix-up goes unseen."""
    classes = len(task.class_names)
    images = 2 * min(classes, _MOST_PROBED) + 1 - classes % 2
    rows, columns = torch.arange(images)[:, None], torch.arange(classes)
    numbers = (7 * rows + 3 * columns) % 11 + 1
    if task.name == "multilabel":
        return numbers / 12, ((rows + columns) % 2).long()
    return numbers / numbers.sum(dim=1, keepdim=True), rows[:, 0] % classes


def _scores(kind: "type[torchmetrics.Metric]", probabilities: torch.Tensor) -> torch.Tensor:
    """What a class takes of probabilities (N, C)."""
    return probabilities[:, 1] if kind.__name__.startswith("Binary") else probabilities


def _result(
    kind: "type[torchmetrics.Metric]",
    arguments: Mapping[str, Any],
    probabilities: torch.Tensor,
    targets: torch.Tensor,
) -> torch.Tensor:
    metric = kind(**arguments)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        metric.update(probabilities, targets)
        value = _value(metric.compute())
    for warning in caught:
        _say_once(f"{kind.__name__}: {warning.message}")
    return value


def _value(result: Any) -> torch.Tensor:
    """The measure itself; some come with the thresholds that they were found at."""
    value: torch.Tensor = result[0] if isinstance(result, tuple) else result
    return value


@functools.cache
def _say_once(message: str) -> None:
    logging.getLogger("vernier").warning("%s", message)
