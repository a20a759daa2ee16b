"""What has to hold for `evaluate` and `metrics`. One function a rule."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from vernier.config.checks.finding import Check, Finding
from vernier.config.checks.validation_set import needs_validation
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


def more_sets_come_with_validation(config: Config) -> Iterator[Finding]:
    """More sets are measured when the validation set is."""
    if config.evaluate.extended is not None:
        yield from needs_validation(config, "evaluate.extended", "leave extended out")


CHECKS: tuple[Check, ...] = (
    metrics_are_named,
    validation_comes_by_steps,
    more_sets_come_with_validation,
)
