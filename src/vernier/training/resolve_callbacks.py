"""The choices for what watches a training: the monitored metric, early stopping, the average of the weights."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, final

from vernier.config.root import Config
from vernier.config.schedule import ReduceOnPlateauConfig
from vernier.data.wording import did_you_mean
from vernier.errors import ConfigError, ConfigProblem
from vernier.evaluation.metrics import metric_names, mode_of
from vernier.evaluation.torchmetrics_metrics import Metrics, make_metrics
from vernier.models.task import TaskName, make_task
from vernier.scenario.overriding import own_evaluators, own_metric_names
from vernier.track.mlflow_tracker import require_mlflow
from vernier.training.choices import Choices

_KEPT_OVER_AN_EPOCH = 0.75
_LEAST_DECAY, _MOST_DECAY = 0.99, 0.99975


def choose_callbacks(choices: Choices, task: TaskName, class_names: tuple[str, ...]) -> None:
    """Choose what is monitored, and check that it is measured.

    Raises:
        ConfigError: a metric that this task does not have.
    """
    config = choices.config
    measured = _Measured.of(config, task, class_names)
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


@final
@dataclass(frozen=True)
class _Measured:
    """What a validation of a training measures.

    Attributes:
        names: Of the validation set.
        metrics: The user's own among them.
        sets: More sets, whose measures have their name in front.
        evaluators: There are functions whose measures show only when they are called.
    """

    names: tuple[str, ...]
    metrics: Metrics
    sets: tuple[str, ...]
    evaluators: bool

    @staticmethod
    def of(config: Config, task: TaskName, class_names: tuple[str, ...]) -> "_Measured":
        evaluate = config.evaluate
        metrics = Metrics(())
        if config.metrics:
            metrics = make_metrics(config.metrics, make_task(task, class_names, threshold=evaluate.threshold), evaluate)
        names = (*metric_names(task, len(class_names), evaluate), *metrics.names, *own_metric_names(config))
        sets = () if evaluate.extended is None else tuple(evaluate.extended.data)
        return _Measured(names, metrics, sets, bool(evaluate.evaluators or own_evaluators(config)))

    def check(self, key: str, name: str) -> None:
        known = (*self.names, *(f"{of}_{measure}" for of in self.sets for measure in self.names))
        if name.removeprefix("val_") not in known and not self.evaluators:
            hint = did_you_mean(name.removeprefix("val_"), known)
            message = f"{name!r} is not a metric of this task;{hint} Choose from {', '.join(known)}"
            raise ConfigError([ConfigProblem(key, message)])

    def mode_of(self, name: str) -> Literal["max", "min"]:
        of_set = next((of for of in self.sets if name.startswith(f"{of}_") and name not in self.names), None)
        return mode_of(name if of_set is None else name.removeprefix(f"{of_set}_"), self.metrics)
