"""Measures of the user's own (`evaluate.evaluators`)."""

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real

import numpy as np

from vernier.callables import import_callable
from vernier.errors import ConfigError, ConfigProblem
from vernier.evaluation.metrics import Measures, probabilities_of
from vernier.models.task import Task


@dataclass(frozen=True)
class Evaluated:
    """A whole set after the model has seen it.

    Attributes:
        paths: Of the N images, or their places in a source without files.
        targets: int64 (N,) or, multilabel, uint8 (N, C).
        probabilities: float32 (N, C); binary: of the negative and the positive class.
        class_names: The C classes.
    """

    paths: tuple[str, ...]
    targets: np.ndarray
    probabilities: np.ndarray
    class_names: tuple[str, ...]


Evaluator = Callable[[Evaluated], Mapping[str, float]]
"""From a whole set to measures by name."""


def make_evaluators(names: Sequence[str]) -> tuple[Evaluator, ...]:
    """Import `evaluate.evaluators`; a class is made without arguments and called.

    Raises:
        ConfigError: what can't be imported or called.
    """
    return tuple(_make(name, f"evaluate.evaluators[{index}]") for index, name in enumerate(names))


def _make(name: str, key: str) -> Evaluator:
    made = import_callable(name, key)
    evaluator: Evaluator = made() if isinstance(made, type) else made
    if not callable(evaluator):
        raise ConfigError([ConfigProblem(key, f"{name} makes objects that can't be called; give it __call__")])
    try:
        inspect.signature(evaluator).bind(None)
    except TypeError as error:
        raise ConfigError([ConfigProblem(key, f"{name} must take one argument, an Evaluated: {error}")]) from None
    return evaluator


def apply_evaluators(evaluators: Sequence[Evaluator], evaluated: Evaluated) -> dict[str, float]:
    """The measures of all of them.

    Raises:
        ConfigError: one gives something else than numbers by name, or a name that another one has given.
    """
    values: dict[str, float] = {}
    for evaluator in evaluators:
        for name, value in _checked(evaluator, evaluator(evaluated)).items():
            if name in values:
                raise _error(evaluator, f"gives {name!r}, which another evaluator gives too")
            values[name] = value
    return values


def with_evaluators(measures: Measures, evaluators: Sequence[Evaluator], paths: Sequence[str], task: Task) -> Measures:
    """The measures with those of the evaluators besides.

    Args:
        paths: Of the images that were measured.

    Raises:
        ConfigError: as `apply_evaluators`; a name that a built-in measure has.
    """
    if not evaluators:
        return measures
    probabilities = probabilities_of(measures.logits, task)
    evaluated = Evaluated(tuple(paths), measures.targets, probabilities, task.class_names)
    values = apply_evaluators(evaluators, evaluated)
    taken = [name for name in values if name in measures.values]
    if taken:
        message = f"give {taken[0]!r}, which is measured already; choose another name"
        raise ConfigError([ConfigProblem("evaluate.evaluators", message)])
    return replace(measures, values={**measures.values, **values})


def names_given(evaluators: Sequence[Evaluator], paths: Sequence[str], targets: np.ndarray, task: Task) -> list[str]:
    """The names of the measures, from a call with made-up probabilities, before anything is trained.

    Args:
        paths, targets: Of some images of the validation set.

    Raises:
        ConfigError: as `apply_evaluators`.
    """
    drawn = np.random.default_rng(0).random((len(targets), len(task.class_names)), dtype=np.float32)
    probabilities = drawn if task.name == "multilabel" else drawn / drawn.sum(axis=1, keepdims=True)
    return list(apply_evaluators(evaluators, Evaluated(tuple(paths), targets, probabilities, task.class_names)))


def _checked(evaluator: Evaluator, given: object) -> dict[str, float]:
    if not isinstance(given, Mapping):
        raise _error(evaluator, f"must give a mapping of names to numbers; got {type(given).__name__}")
    wrong = [name for name, value in given.items() if not isinstance(name, str) or not isinstance(value, Real)]
    if wrong:
        raise _error(evaluator, f"must give numbers by name; {wrong[0]!r} is {type(given[wrong[0]]).__name__}")
    return {name: float(value) if math.isfinite(value) else math.nan for name, value in given.items()}


def _error(evaluator: Evaluator, message: str) -> ConfigError:
    name = getattr(evaluator, "__name__", type(evaluator).__name__)
    return ConfigError([ConfigProblem("evaluate.evaluators", f"{name} {message}")])
