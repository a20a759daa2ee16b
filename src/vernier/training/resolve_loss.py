"""`loss=auto` and `data.imbalance=auto` as choices."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np

from vernier.config.checks.loss import misfits
from vernier.config.data import DataConfig, Task
from vernier.config.loss import (
    AutoLossConfig,
    BinaryCrossEntropyConfig,
    CrossEntropyConfig,
    CustomLossConfig,
    FocalLossConfig,
    LossConfig,
)
from vernier.config.model import ModelConfig
from vernier.data.sampling import class_counts
from vernier.data.source import Source
from vernier.data.splits import split_source
from vernier.errors import ConfigError, ConfigProblem
from vernier.training.choices import Choices

_EVEN: Final = 3.0
"""Up to this ratio of the largest class to the smallest one nothing is done."""
_LONG_TAILED: Final = 100.0
"""From this ratio on, the one of the sets that logit adjustment was measured on, weights would be as far apart."""


def choose_loss(choices: Choices, source: Source) -> None:
    """Choose the kind of loss by the task, and what `data.imbalance=auto` asks for by the classes' sizes.

    Raises:
        ConfigError: a loss, or a field of it, that means nothing for the task.
    """
    task: Task = choices.current("data.task")
    loss = _settled_loss(choices, task)
    if choices.config.data.imbalance == "auto":
        counts = training_counts(source, choices.config.data)
        _correct_imbalance(choices, loss, task, counts)


def _settled_loss(choices: Choices, task: Task) -> LossConfig:
    """The loss by name, which is chosen by the task when it was left to Vernier."""
    loss = choices.config.loss
    problems = [ConfigProblem(finding.key, finding.message) for finding in misfits(loss, task)]
    if problems:
        raise ConfigError(problems)
    if not isinstance(loss, AutoLossConfig):
        return loss
    kind = CrossEntropyConfig if task == "multiclass" else BinaryCrossEntropyConfig
    settled = kind(**{name: getattr(loss, name) for name in kind.model_fields if name != "name"})
    choices.values["loss"] = settled.model_dump()
    choices.reasons["loss.name"] = f"the usual one for {task}"
    return settled


@final
@dataclass(frozen=True)
class Remedy:
    """What is done about an imbalance: settings by dotted key, none of them for nothing, and why."""

    settings: Mapping[str, Any]
    reason: str


def choose_remedy(counts: np.ndarray, loss: LossConfig, task: Task, model: ModelConfig) -> Remedy:
    """The first that applies, r being the largest class's images / the smallest class's:

    1. r at most 3: nothing.
    2. A loss of one's own, or focal loss of sigmoids: balanced sampling, which needs no loss's help.
    3. Binary and multilabel: balanced positive weights.
    4. Only the head trains: balanced sampling (Kang et al. 2020, "Decoupling representation and classifier").
    5. r below 100, or focal loss: weights by effective number (Cui et al. 2019).
    6. Logit adjustment (Menon et al. 2021).

    Args:
        counts: int64 (C,), training images of each class or label; none is 0.
        loss: Settled by name.
    """
    ratio = counts.max() / counts.min()
    size = f"the largest class has {ratio:.3g} times the images of the smallest one"
    if ratio <= _EVEN:
        return Remedy({}, f"{size}, which needs no correction")
    if isinstance(loss, CustomLossConfig) or (isinstance(loss, FocalLossConfig) and task != "multiclass"):
        return Remedy({"data.sampler": "balanced"}, f"{size}, and loss={loss.name} has no weights by number of images")
    if task != "multiclass":
        return Remedy({"loss.positive_weights": "balanced"}, size)
    if model.frozen == "backbone":
        return Remedy({"data.sampler": "balanced"}, f"{size}, and only the head trains")
    if ratio < _LONG_TAILED or isinstance(loss, FocalLossConfig):
        return Remedy({"loss.class_weights": "effective_number"}, size)
    return Remedy({"loss.logit_adjustment": 1.0}, f"{size}: weights would be as far apart")


def training_counts(source: Source, data: DataConfig) -> np.ndarray:
    """Training images of each class or label, int64 (C,)."""
    return class_counts(source.targets[split_source(source, data).train], len(source.class_names))


def _correct_imbalance(choices: Choices, loss: LossConfig, task: Task, counts: np.ndarray) -> None:
    remedy = choose_remedy(counts, loss, task, choices.config.model)
    for key, value in remedy.settings.items():
        section, _, name = key.partition(".")
        if section == "loss":
            choices.values["loss"] = {**choices.values.get("loss", loss.model_dump()), name: value}
        else:
            choices.values[key] = value
        choices.reasons[key] = remedy.reason
    chosen = ", ".join(f"{key}={value}" for key, value in remedy.settings.items())
    choices.override("data.imbalance", "off", f"chose {chosen}: {remedy.reason}" if chosen else remedy.reason)
