"""The choices for what watches a training: the monitored metric, early stopping, the average of the weights."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, final

import numpy as np

from vernier.config.root import Config
from vernier.config.schedule import ReduceOnPlateauConfig
from vernier.data.source import Source
from vernier.data.wording import did_you_mean
from vernier.errors import ConfigError, ConfigProblem
from vernier.evaluation.evaluators import names_given
from vernier.evaluation.metrics import metric_names, mode_of
from vernier.evaluation.torchmetrics_metrics import Metrics, make_metrics
from vernier.models.task import Task, TaskName, make_task
from vernier.scenario.overriding import all_evaluators
from vernier.track.mlflow_tracker import require_mlflow
from vernier.training.choices import Choices

_KEPT_OVER_AN_EPOCH = 0.75
_LEAST_DECAY, _MOST_DECAY = 0.99, 0.99975
_TRIED = 64


def choose_callbacks(choices: Choices, task: TaskName, source: Source) -> None:
    """Choose what is monitored, and check that it is measured; the user's evaluators are tried on a few images.

    Raises:
        ConfigError: a metric that this task does not have, or an evaluator that does not do its part.
    """
    config = choices.config
    measured = _Measured.of(config, task, source)
    monitor = "macro_f1" if task == "multilabel" else "accuracy"
    choices.choose("train.monitor", monitor, f"the usual one for {task}")
    measured.check("train.monitor", choices.current("train.monitor"))
    monitor = choices.current("train.monitor").removeprefix("val_")
    choices.choose("train.monitor_mode", measured.mode_of(monitor), f"better values of {monitor}")
    if config.callbacks.early_stopping is not None:
        key = "callbacks.early_stopping.monitor"
        choices.choose(key, choices.current("train.monitor"), "train.monitor")
        measured.check(key, choices.current(key))
        watched = choices.current(key).removeprefix("val_")
        mode = choices.current("train.monitor_mode") if watched == monitor else measured.mode_of(watched)
        choices.choose("callbacks.early_stopping.mode", mode, f"better values of {watched}")
    if isinstance(config.schedule, ReduceOnPlateauConfig):
        measured.check("schedule.monitor", config.schedule.monitor)
        watched = config.schedule.monitor.removeprefix("val_")
        choices.choose("schedule.mode", measured.mode_of(watched), f"better values of {watched}")
    if config.train.ema is not None:
        choices.choose("train.ema.decay", _LEAST_DECAY, "until the batch size is known")
    if config.track.mlflow is not None:
        _choose_mlflow(choices)


def ema_decay(step_images: int, epoch_images: int) -> tuple[float, str]:
    """The decay of which about three quarters are left after an epoch, within limits, and why it is that.

    0.75^(images of an optimizer step / images of an epoch), from 0.99 to 0.99975: tfaip's rule.

    Args:
        step_images: In all batches of the step.
        epoch_images: That training sees in an epoch.
    """
    share = step_images / epoch_images
    decay = min(max(_KEPT_OVER_AN_EPOCH**share, _LEAST_DECAY), _MOST_DECAY)
    within = f"from {_LEAST_DECAY} to {_MOST_DECAY}"
    return decay, f"{_KEPT_OVER_AN_EPOCH}^({step_images} images a step / {epoch_images} an epoch), {within}"


def _choose_mlflow(choices: Choices) -> None:
    require_mlflow()
    uri, reason = os.environ.get("MLFLOW_TRACKING_URI"), "MLFLOW_TRACKING_URI"
    if uri is None:
        uri = f"sqlite:///{(Path(choices.config.run.root) / 'mlflow.db').resolve()}"
        reason = "in run.root"
    choices.choose("track.mlflow.uri", uri, reason)
    choices.choose("track.mlflow.experiment", choices.current("run.name"), "run.name")


def _check_set_names(sets: tuple[str, ...], names: tuple[str, ...]) -> None:
    """No measure of a set has the name of another measure: a set `balanced` would hide the balanced accuracy.

    Raises:
        ConfigError: one has.
    """
    problems, taken = [], set(names)
    for of in sets:
        measures = {f"{of}_{name}" for name in names}
        for double in sorted(measures & taken)[:1]:
            measure = double.removeprefix(f"{of}_")
            message = f"its {measure} would be called {double}, as another measure is; rename the set"
            problems.append(ConfigProblem(f"evaluate.extended.data.{of}", message))
        taken |= measures
    if problems:
        raise ConfigError(problems)


def _names_of_evaluators(config: Config, source: Source, task: Task) -> list[str]:
    """What the user's functions measure, found by calling them for a few images with made-up probabilities."""
    evaluators = all_evaluators(config)
    if not evaluators:
        return []
    few = np.linspace(0, len(source.targets) - 1, min(len(source.targets), _TRIED)).astype(np.int64)
    paths = [source.images.key(position) for position in few.tolist()]
    return names_given(evaluators, paths, source.targets[few], task)


@final
@dataclass(frozen=True)
class _Measured:
    """What a validation of a training measures.

    Attributes:
        names: Of the validation set.
        metrics: The user's own among them.
        sets: More sets, whose measures have their name in front.
    """

    names: tuple[str, ...]
    metrics: Metrics
    sets: tuple[str, ...]

    @staticmethod
    def of(config: Config, name: TaskName, source: Source) -> "_Measured":
        evaluate = config.evaluate
        task = make_task(name, source.class_names, threshold=evaluate.threshold)
        metrics = make_metrics(config.metrics, task, evaluate) if config.metrics else Metrics(())
        built_in = metric_names(name, len(source.class_names), evaluate)
        names = (*built_in, *metrics.names, *_names_of_evaluators(config, source, task))
        sets = () if evaluate.extended is None else tuple(evaluate.extended.data)
        _check_set_names(sets, names)
        return _Measured(names, metrics, sets)

    def check(self, key: str, name: str) -> None:
        known = (*self.names, *(f"{of}_{measure}" for of in self.sets for measure in self.names))
        if name.removeprefix("val_") not in known:
            hint = did_you_mean(name.removeprefix("val_"), known)
            message = f"{name!r} is not a metric of this task.{hint} Choose from {', '.join(known)}"
            raise ConfigError([ConfigProblem(key, message)])

    def mode_of(self, name: str) -> Literal["max", "min"]:
        of_set = next((of for of in self.sets if name.startswith(f"{of}_") and name not in self.names), None)
        return mode_of(name if of_set is None else name.removeprefix(f"{of_set}_"), self.metrics)
