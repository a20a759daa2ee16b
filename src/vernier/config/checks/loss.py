"""What has to hold for `loss`. One function a rule."""

from collections.abc import Iterator

from vernier.config.checks.finding import Check, Finding
from vernier.config.data import Task
from vernier.config.loss import (
    AutoLossConfig,
    BinaryCrossEntropyConfig,
    CrossEntropyConfig,
    FocalLossConfig,
    LossConfig,
)
from vernier.config.root import Config

_COUNTED = ("balanced", "effective_number")
_RELIES_ON = ("data.task",)


def loss_fits_task(config: Config) -> Iterator[Finding]:
    """Each kind of loss, and each of its fields, means something for the task."""
    if config.data.task != "auto":
        yield from misfits(config.loss, config.data.task)


def misfits(loss: LossConfig, task: Task) -> Iterator[Finding]:
    """What of a loss means nothing for a task."""
    softmax = task == "multiclass"
    if isinstance(loss, CrossEntropyConfig) and not softmax:
        message = f"cross_entropy takes one class an image, but the task is {task}; use loss=bce or loss=focal"
        yield Finding("loss.name", message, _RELIES_ON)
    if isinstance(loss, BinaryCrossEntropyConfig) and softmax:
        message = f"bce takes labels that are set or not, but the task is {task}; use loss=cross_entropy or loss=focal"
        yield Finding("loss.name", message, _RELIES_ON)
    if isinstance(loss, AutoLossConfig | FocalLossConfig):
        yield from _misfit_fields(loss, task)


def _misfit_fields(loss: AutoLossConfig | FocalLossConfig, task: Task) -> Iterator[Finding]:
    of_softmax, of_sigmoids = ("class_weights", "logit_adjustment"), ("positive_weights", "alpha")
    remedies = {
        "class_weights": "loss.alpha" if isinstance(loss, FocalLossConfig) else "loss.positive_weights",
        "logit_adjustment": "loss.positive_weights",
        "positive_weights": "loss.class_weights",
        "alpha": "loss.class_weights",
    }
    for name in of_sigmoids if task == "multiclass" else of_softmax:
        if getattr(loss, name, None) is not None:
            owner = "binary and multilabel tasks" if name in of_sigmoids else "multiclass tasks"
            yield Finding(f"loss.{name}", f"is for {owner}, but the task is {task}; use {remedies[name]}", _RELIES_ON)


def imbalance_is_corrected_once(config: Config) -> Iterator[Finding]:
    """Sampler, weights by number of images and logit adjustment each undo the same imbalance."""
    ways = corrections(config)
    if len(ways) > 1:
        others = " and ".join(f"{key}={value}" for key, value in list(ways.items())[1:])
        message = f"corrects the imbalance that {others} {'corrects' if len(ways) == 2 else 'correct'} too; use one"
        yield Finding(next(iter(ways)), message, tuple(ways)[1:])


def corrections(config: Config) -> dict[str, object]:
    """What is set that undoes the classes' imbalance by their numbers of images: dotted key and value."""
    values = {
        "loss.class_weights": getattr(config.loss, "class_weights", None),
        "loss.positive_weights": getattr(config.loss, "positive_weights", None),
    }
    ways: dict[str, object] = {key: value for key, value in values.items() if value in _COUNTED}
    if getattr(config.loss, "logit_adjustment", None) is not None:
        ways["loss.logit_adjustment"] = getattr(config.loss, "logit_adjustment", None)
    if config.data.sampler != "shuffle":
        ways["data.sampler"] = config.data.sampler
    return ways


def automatic_imbalance_is_free_to_choose(config: Config) -> Iterator[Finding]:
    """`data.imbalance=auto` chooses what is not chosen yet."""
    if config.data.imbalance == "off":
        return
    chosen: dict[str, object] = {f"loss.{name}": getattr(config.loss, name, None) for name in _CHOSEN}
    chosen["data.sampler"] = None if config.data.sampler == "shuffle" else config.data.sampler
    given = {key: value for key, value in chosen.items() if value is not None}
    if given:
        listed = " and ".join(f"{key}={value}" for key, value in given.items())
        yield Finding("data.imbalance", f"auto has nothing to choose beside {listed}; leave one out", tuple(given))


_CHOSEN = ("class_weights", "positive_weights", "logit_adjustment", "alpha")


def beta_is_used(config: Config) -> Iterator[Finding]:
    """A constant of a formula goes with the formula."""
    loss = config.loss
    if not isinstance(loss, AutoLossConfig | CrossEntropyConfig | FocalLossConfig):
        return
    default = CrossEntropyConfig().effective_number_beta
    if loss.effective_number_beta != default and loss.class_weights != "effective_number":
        message = f"means nothing without loss.class_weights=effective_number; got {loss.effective_number_beta:g}"
        yield Finding("loss.effective_number_beta", f"{message}; set both, or leave it out", ("loss.class_weights",))


CHECKS: tuple[Check, ...] = (
    loss_fits_task,
    imbalance_is_corrected_once,
    automatic_imbalance_is_free_to_choose,
    beta_is_used,
)
