"""Facts about a model in words and tables of Markdown."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from vernier.augment.preprocess import Geometry, Preprocessing
from vernier.config.augment import Resize
from vernier.deploy.card.facts import Facts, Measured
from vernier.evaluation.report.statistics import wilson_interval
from vernier.evaluation.words import decimal, metric_label, metric_value, percent, several, whole

_TASKS = {
    "multiclass": "one class of {n} for every image",
    "binary": "whether an image is the second of two classes",
    "multilabel": "any number of {n} labels for every image",
}
_SHOWN = (
    *("accuracy", "exact_match", "balanced_accuracy", "macro_f1", "mean_average_precision", "roc_auc"),
    *("loss", "ece"),
)
_SHARES = ("accuracy", "exact_match")
_RESIZES = {
    "fit": "Resize to {size}; the aspect ratio changes",
    "shortest": "Resize so that it just covers {size}; the aspect ratio stays",
    "crop": "Resize so that it just covers {size}, and keep the middle",
    "longest": "Resize so that it just fits into {size}; the aspect ratio stays",
    "letterbox": "Resize so that it just fits into {size}, in the middle; the rest is {fill}",
}
PARTS = {"train": "training", "val": "validation", "test": "test"}
"""Parts of a data set in words."""


def escape(text: str) -> str:
    """A text of somebody else's as Markdown shows it, in one line."""
    return re.sub(r"([\\`*_\[\]<>|#~&])", r"\\\1", " ".join(text.split()))


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table, the first row being its head."""
    head, *body = ["| " + " | ".join(row) + " |" for row in rows]
    return [head, "|" + "---|" * len(rows[0]), *body]


def task_words(facts: Facts) -> str:
    """What the model answers."""
    return _TASKS[facts.info.task].format(n=len(facts.info.class_names))


def preprocessing_steps(preprocessing: Preprocessing) -> list[str]:
    """What is done with an image, a sentence a step."""
    kinds = {1: "grey, (H, W, 1)", 3: "RGB, (H, W, 3)"}
    kind = kinds.get(preprocessing.channels, f"of {preprocessing.channels} channels, (H, W, {preprocessing.channels})")
    steps = [f"Take the image upright, uint8, {kind}."]
    if preprocessing.value_range is not None:
        low, high = preprocessing.value_range
        steps.append(f"Images of more than 8 bits: {low:g} becomes 0 and {high:g} becomes 255.")
    steps += [f"{_step(operation, preprocessing)}." for operation in preprocessing.geometry]
    height, width = preprocessing.input_size
    shape = f"float32 ({preprocessing.channels}, {height}, {width})"
    return [*steps, f"{_affine(preprocessing)}: {shape}, channels first."]


def _step(operation: Geometry, preprocessing: Preprocessing) -> str:
    if operation.size == "auto":
        return f"Keep the middle, {percent(operation.fraction or 1.0)} of each side"  # type: ignore[union-attr]
    height, width = operation.size
    size = f"{height} x {width} pixels (height x width)"
    if not isinstance(operation, Resize):
        return f"Keep the middle {size}; what is missing is {preprocessing.fill}"
    words = _RESIZES[operation.mode].format(size=size, fill=preprocessing.fill)
    kernel = operation.interpolation or preprocessing.interpolation
    return f"{words} ({kernel}{', antialiased' if operation.antialias else ''})"


def _affine(preprocessing: Preprocessing) -> str:
    pairs = zip(preprocessing.scale, preprocessing.offset, strict=True)
    formulas = list(dict.fromkeys(f"x * {scale:.9g} {offset:+.9g}" for scale, offset in pairs))
    if len(formulas) == 1:
        return f"Make `{formulas[0]}` of every pixel value x from 0 to 255"
    return f"Make of pixel values x from 0 to 255, channel by channel, {', '.join(f'`{f}`' for f in formulas)}"


def counts_table(facts: Facts) -> list[str]:
    """Images of each class in each part; nothing where the run is not there."""
    if facts.result is None:
        return []
    counts = facts.result.counts
    rows = [[escape(name), *(whole(part.get(name, 0)) for part in counts.values())] for name in facts.info.class_names]
    return table([["class", *(PARTS.get(part, part) for part in counts)], *rows])


def measures_table(measured: Sequence[Measured]) -> list[str]:
    """A row a measure and a column a set; shares of right answers with their 95 % intervals (Wilson)."""
    names = [name for name in _SHOWN if any(part.values.get(name) is not None for part in measured)]
    rows = [[metric_label(name), *(_cell(name, part) for part in measured)] for name in names]
    heads = [f"{PARTS[part.part]}, {several(int(part.values['n']), 'image')}" for part in measured]
    return table([["", *heads], *rows])


def _cell(name: str, part: Measured) -> str:
    value, n = part.values.get(name), int(part.values["n"])
    if value is None:
        return "–"
    if name not in _SHARES:
        return metric_value(name, value, n)
    low, high = wilson_interval(value, n)
    return f"{metric_value(name, value, n)} ({percent(low, n)} to {percent(high, n)})"


def measures_notes(facts: Facts) -> Iterator[str]:
    """What to think of the measures."""
    parts = [part.part for part in facts.measured]
    if not parts:
        yield "The bundle holds no measures: evaluate it before you rely on it."
        return
    if any(part.values.get(name) is not None for part in facts.measured for name in _SHARES):
        yield "In brackets: the 95 % interval of a share measured on so many images (Wilson)."
    if "val" in parts:
        yield "These weights were chosen on the validation images, so figures on them are somewhat optimistic."
    yield "The test images chose nothing." if "test" in parts else "There is no figure of a test set."
    if facts.calibration is not None:
        yield "Loss and calibration error here are from before the calibration below."


def calibration_lines(facts: Facts) -> list[str]:
    """Temperature and reject threshold, and what they were measured to do."""
    kept = facts.calibration
    if kept is None or facts.info.temperature is None:
        return ["Not calibrated: probabilities are the network's own, and may be too sure or not sure enough."]
    part, threshold = str(kept["part"]), facts.info.reject_threshold
    lines = [f"- Logits are divided by {facts.info.temperature:g}, fitted on {PARTS.get(part, part)} images."]
    lines += [_figures_line(name, kept[name]) for name in (part, "test") if name in kept]
    if threshold is None:
        return [*lines, "- No answer is rejected for lack of confidence."]
    lines.append(f"- Answers below a confidence of {threshold:.4f} count as `unknown`.")
    return lines + [_accepted_line(name, kept[name]) for name in (part, "test") if name in kept]


def _figures_line(part: str, figures: Mapping[str, Any]) -> str:
    before, after = figures["before"], figures["after"]
    errors = f"expected calibration error {decimal(before['ece'])} before, {decimal(after['ece'])} after"
    likelihood = f"negative log-likelihood {decimal(before['nll'])} before, {decimal(after['nll'])} after"
    return f"- {_named(part, int(figures['n']))}: {errors}; {likelihood}."


def _accepted_line(part: str, figures: Mapping[str, Any]) -> str:
    accepted = f"{percent(figures['coverage'])} are accepted, {percent(figures['precision'])} of these right"
    low, high = figures["precision_interval"]
    return f"- {_named(part, int(figures['n']))}: {accepted} (95 % interval {percent(low)} to {percent(high)})."


def _named(part: str, n: int) -> str:
    return f"On {several(n, f'{PARTS.get(part, part)} image')}"
