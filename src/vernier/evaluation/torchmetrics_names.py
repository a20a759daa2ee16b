"""torchmetrics' classification classes by the names that people write.

A name is looked up among the classes that torchmetrics publishes; nothing is evaluated or imported by name.
torchmetrics is imported with the first name.
"""

import functools
import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from vernier.data.wording import did_you_mean
from vernier.models.task import TaskName

if TYPE_CHECKING:
    import torchmetrics

_TASKS: tuple[TaskName, ...] = ("binary", "multiclass", "multilabel")
_PER_CLASS_HINT = "per_class.csv has the figures of each class, with evaluate.per_class=true of every validation"
_NO_NUMBERS = {
    "confusionmatrix": "confusion_matrix.csv has it, track.tensorboard.confusion=true draws it",
    "precisionrecallcurve": "track.tensorboard.curves=true draws it, average_precision is its area",
    "roc": "track.tensorboard.curves=true draws it, auroc is its area",
    "statscores": _PER_CLASS_HINT,
    "fairness": "it needs a group for each image, which data sets here don't have",
    "groupstatrates": "it needs a group for each image, which data sets here don't have",
}


class UnusableMetric(Exception):
    """An entry of `metrics` that can't be used, with the message for its key."""


def find_metric(given: str, task: TaskName) -> "tuple[type[torchmetrics.Metric], Mapping[str, Any]]":
    """The class of a name for a task, and the defaults of the class without a task if the name has none.

    Raises:
        UnusableMetric: not a name, of another task, or a measure that gives no numbers.
    """
    kinds, word = _kinds(), _folded(given)
    of_task = next((other for other in _TASKS if word.startswith(other)), None)
    base = word.removeprefix(of_task or "")
    if base in _NO_NUMBERS and any(f"{other}{base}" in kinds for other in _TASKS):
        raise UnusableMetric(f"{given!r} gives no numbers to record: {_NO_NUMBERS[base]}; leave it out")
    found = kinds.get(f"{task}{base}")
    if found is None or of_task not in (None, task):
        raise UnusableMetric(_why_not(given, task, of_task, base))
    return found, _taskless_defaults(kinds[base]) if of_task is None and base in kinds else {}


def _why_not(given: str, task: TaskName, of_task: TaskName | None, base: str) -> str:
    choices = _choices(task)
    listed = f"choose from {', '.join(choices)}"
    tasks = [other for other in _TASKS if f"{other}{base}" in _kinds()]
    if of_task != task and of_task in tasks:
        remedy = f"write {_spelling(base)}" if task in tasks else listed
        return f"{given!r} is for {of_task} tasks, but this one is {task}; {remedy}"
    if tasks and of_task in (None, task):
        return f"{given!r} has no {task} form; {listed}"
    hint = did_you_mean(given, [*choices, *(f"{task}_{choice}" for choice in choices)])
    return f"{given!r} is not a measure of torchmetrics.{hint} {capital(listed)}"


@functools.cache
def _kinds() -> "Mapping[str, type[torchmetrics.Metric]]":
    """torchmetrics' classification classes by their names in small letters."""
    from torchmetrics import classification

    return {name.casefold(): getattr(classification, name) for name in classification.__all__}


@functools.cache
def _spellings() -> Mapping[str, str]:
    """The functions' names by the same without underscores."""
    from torchmetrics.functional import classification

    return {_folded(name): name for name in classification.__all__}


def _folded(name: str) -> str:
    return name.replace("_", "").casefold()


def _spelling(base: str) -> str:
    """A name without its task as the functions write it."""
    prefixed = (_spellings().get(f"{task}{base}", "").removeprefix(f"{task}_") for task in _TASKS)
    return next((name for name in prefixed if name), base)


def _choices(task: TaskName) -> list[str]:
    """Names of all measures of a task that give numbers, without the task."""
    bases = (name.removeprefix(task) for name in _kinds() if name.startswith(task))
    return sorted(_spelling(base) for base in bases if base not in _NO_NUMBERS)


def _taskless_defaults(kind: "type[torchmetrics.Metric]") -> Mapping[str, Any]:
    parameters = inspect.signature(kind.__new__).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def capital(text: str) -> str:
    """The text, its first letter large."""
    return text[0].upper() + text[1:]


def function_name(kind: "type[torchmetrics.Metric]") -> str:
    """The function that does what a class does: `multiclass_f1_score`."""
    return _spellings().get(kind.__name__.casefold(), kind.__name__)
