"""What has to hold for `evaluate` and `metrics`. One function a rule."""

import re
from collections.abc import Iterator, Mapping
from math import inf
from typing import Any

from vernier.config.checks.finding import Check, Finding
from vernier.config.checks.validation_set import needs_validation
from vernier.config.duration import Duration
from vernier.config.root import Config

_NAME = re.compile(r"[\w.-]+")
_RESERVED = (
    *("n", "bundle", "source", "part", "which"),
    *("per_class", "confusion", "missing_classes", "unreadable"),
)


def metric_findings(metrics: Mapping[str, Any]) -> Iterator[Finding]:
    """What is wrong with entries of `metrics` whatever the task; which measures there are is not looked at."""
    for name, entry in metrics.items():
        problem = _name_problem(name) or _entry_problem(name, entry)
        if problem is not None:
            yield Finding(f"metrics.{name}", problem)


def metrics_are_named(config: Config) -> Iterator[Finding]:
    """Each entry of `metrics` has a name that results can carry, and says which measure it is."""
    yield from metric_findings(config.metrics)


def _name_problem(name: str) -> str | None:
    if not _NAME.fullmatch(name):
        return f"a measure's name is of letters, digits, _, - and dots; got {name!r}; choose another"
    if name.startswith("val_"):
        return f"`val_` is put before it anyway; call it {name.removeprefix('val_') or 'something else'}"
    if name in _RESERVED:
        return f"results have this field already; choose another name, such as my_{name}"
    return None


def _entry_problem(name: str, entry: Any) -> str | None:
    named = entry.get("name") if isinstance(entry, Mapping) else entry
    if isinstance(named, str):
        return None
    example = f"metrics.{name}={{name: multiclass_accuracy, top_k: 3}}"
    return f"must be the name of a measure of torchmetrics, or a mapping with a name; got {entry!r}; such as {example}"


def validation_comes_by_steps(config: Config) -> Iterator[Finding]:
    """How often a training validates is counted in its steps."""
    durations = {"evaluate.every": config.evaluate.every}
    if config.evaluate.extended is not None:
        durations["evaluate.extended.every"] = config.evaluate.extended.every
    for key, every in durations.items():
        if every.unit == "s":
            yield Finding(key, f"can't be a time; got {every}; write it in ep (epochs), st (steps) or %, such as 0.5ep")
        elif every.value == 0:
            yield Finding(key, f"must be more than nothing; got {every}; write 1st for every step")


def something_is_validated(config: Config) -> Iterator[Finding]:
    """A training without any validation says so by having no validation set."""
    evaluate, epochs = config.evaluate, config.train.epochs
    never = not (evaluate.at_end or evaluate.before_training or config.train.fast_dev_run)
    if never and _is_beyond(evaluate.every, epochs):
        message = f"is longer than the training (train.epochs={epochs}) and evaluate.at_end is false"
        remedy = f"nothing is validated; got {evaluate.every}; shorten it, or set evaluate.at_end=true"
        yield Finding("evaluate.every", f"{message}: {remedy}", ("evaluate.at_end", "train.epochs"))


def more_sets_come_with_validation(config: Config) -> Iterator[Finding]:
    """More sets are measured when the validation set is."""
    if config.evaluate.extended is not None:
        yield from needs_validation(config, "evaluate.extended", "leave extended out")


def more_sets_are_measured(config: Config) -> Iterator[Finding]:
    """There are more sets, with names that columns can carry, and they are measured some time."""
    extended, epochs = config.evaluate.extended, config.train.epochs
    if extended is None:
        return
    key = "evaluate.extended"
    if not extended.data:
        yield Finding(f"{key}.data", "names no set; write evaluate.extended.data.NAME=DIR, or leave extended out")
    for name in extended.data:
        if not _NAME.fullmatch(name):
            message = f"a set's name is of letters, digits, _, - and dots; got {name!r}; choose another"
            yield Finding(f"{key}.data.{name}", message)
    if config.train.fast_dev_run:
        return
    if _is_beyond(extended.every, epochs):
        message = f"is longer than the training (train.epochs={epochs}); got {extended.every}; shorten it"
        yield Finding(f"{key}.every", message, ("train.epochs",))
    if extended.from_epoch > epochs:
        message = f"never comes: train.epochs is {epochs}; got {extended.from_epoch}; lower it"
        yield Finding(f"{key}.from_epoch", message, ("train.epochs",))


def _is_beyond(every: Duration, epochs: int) -> bool:
    return every.value > {"ep": epochs, "%": 100.0}.get(every.unit, inf)


CHECKS: tuple[Check, ...] = (
    metrics_are_named,
    validation_comes_by_steps,
    something_is_validated,
    more_sets_come_with_validation,
    more_sets_are_measured,
)
