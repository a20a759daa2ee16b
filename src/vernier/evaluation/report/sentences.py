"""The report's sentences: the result, what was trained, and what the numbers can't say."""

from dataclasses import dataclass

from vernier.evaluation.report.run_data import Measures, Result
from vernier.evaluation.report.statistics import wilson_interval
from vernier.evaluation.report.tables import SPLIT_WORDS
from vernier.evaluation.words import NO_BREAK, decimal, duration, metric_label, percent, quantity, several, whole


@dataclass(frozen=True)
class Fact:
    """A line of a list of facts."""

    name: str
    text: str


def headline(result: Result) -> str:
    """The result in one line, with the number of images."""
    split, measures = result.evaluated_split, result.measures
    if split is None or measures is None:
        return f"Trained for {several(result.epochs, 'epoch')}, not measured on any held-out image"
    n = round(measures["n"] or 0)
    images = several(n, f"{SPLIT_WORDS[split]} image")
    accuracy = _accuracy(result)
    return (
        f"{_main_metric(result, measures)} on {images}"
        if accuracy is None
        else f"{percent(accuracy, n)} of {images} right"
    )


def lead(result: Result) -> str:
    """What was trained on what, and for how long."""
    images = sum(result.counts.get("train", {}).values())
    trained = "images" if result.task == "multilabel" else several(images, "image")
    return (
        f"{result.model.name} trained on {trained} of {several(len(result.classes), 'class')} "
        f"for {several(result.epochs, 'epoch')} in {duration(result.seconds)}."
    )


def notes(result: Result) -> tuple[str, ...]:
    """What a reader has to know before believing the numbers.

    `test_note` says what the test set was, or that without one the validation numbers are optimistic.
    """
    sentences = (_status_note(result), result.test_note, _choice_note(result), _interval_note(result))
    return tuple(sentence for sentence in sentences if sentence)


def facts(result: Result) -> tuple[Fact, ...]:
    """What was trained on what, line by line."""
    model, best = result.model, result.best
    lines = {
        "Model": f"{model.name} ({model.provider})",
        "Parameters": f"{quantity(model.parameters)}, {_trainable(result)}",
        "Task": f"{result.task}, {several(len(result.classes), 'class')}",
        "Data": result.data.source,
        "Left out": _left_out(result),
        "Training": _training(result),
        "Best epoch": f"{best.epoch}, by validation {_lower_label(best.monitor)}" if best else "",
        "Stopped early": result.stopped_early or "",
    }
    return tuple(Fact(name, text) for name, text in lines.items() if text)


def identity(result: Result) -> tuple[Fact, ...]:
    """What makes the run the run: seed and content of the data."""
    lines = {"Seed": str(result.seed), "Data": result.data.source, "Data hash": result.data.content_hash}
    return tuple(Fact(name, text) for name, text in lines.items())


def _accuracy(result: Result) -> float | None:
    measures = result.measures or {}
    return None if result.task == "multilabel" else measures.get("accuracy")


def _main_metric(result: Result, measures: Measures) -> str:
    monitor = result.best.monitor.removeprefix("val_") if result.best else "macro_f1"
    name = monitor if measures.get(monitor) is not None else "loss"
    return f"{metric_label(name)} {decimal(measures[name] or 0.0)}"


def _trainable(result: Result) -> str:
    trainable = result.model.trainable
    return "all trained" if trainable == result.model.parameters else f"{quantity(trainable)} of them trained"


def _left_out(result: Result) -> str:
    reasons = {**result.data.skipped, "unreadable": result.data.unreadable}
    return ", ".join(f"{whole(n)} {why}" for why, n in reasons.items() if n)


def _training(result: Result) -> str:
    parts = (several(result.epochs, "epoch"), several(result.steps, "step"), duration(result.seconds))
    speed = result.images_per_second
    return ", ".join(parts if speed is None else (*parts, f"{speed:,.0f}{NO_BREAK}images/s"))


def _status_note(result: Result) -> str:
    if result.status == "finished":
        return ""
    return f"The training was stopped after {several(result.epochs, 'epoch')}, before its end."


def _choice_note(result: Result) -> str:
    if result.best is None:
        return _no_best_note(result)
    if result.test is None:
        return ""
    monitor = _lower_label(result.best.monitor)
    return f"The best epoch was chosen by validation {monitor}, so the validation numbers are optimistic."


def _no_best_note(result: Result) -> str:
    if "val" in result.counts:
        return "No validation was finished, so no epoch was chosen as the best."
    return "There was no validation set, so no epoch was chosen as the best: the result is the last one."


def _interval_note(result: Result) -> str:
    accuracy, n = _accuracy(result), round((result.measures or {}).get("n") or 0)
    if accuracy is None or n == 0:
        return ""
    low, high = wilson_interval(accuracy, n)
    return f"With {several(n, 'image')}, the 95 % interval of the accuracy is {percent(low)} to {percent(high)}."


def _lower_label(monitor: str) -> str:
    label = metric_label(monitor.removeprefix("val_"))
    return label[0].lower() + label[1:]
