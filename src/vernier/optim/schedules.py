"""The learning rate as a pure function of the optimizer step."""

import math
from collections.abc import Callable

from vernier.config.duration import Duration
from vernier.config.schedule import ConstantConfig, CosineConfig, CustomScheduleConfig, OneCycleConfig, ScheduleConfig
from vernier.errors import ConfigError, ConfigProblem

Schedule = Callable[[int], float]
"""From the number of finished optimizer steps (0 before the first) to a factor of the learning rate."""


def make_schedule(config: ScheduleConfig, *, total_steps: int, steps_per_epoch: int) -> Schedule:
    """The factor for each of `total_steps` steps; from `total_steps` on it stays at its last value.

    constant and cosine: progress is step / total_steps after the warm-up, so that the step after the last one
    would have `final_factor`. one_cycle: the last step itself has the smallest factor.

    Raises:
        ConfigError: the warm-up is longer than the training, or is given as a time.
    """
    match config:
        case ConstantConfig():
            return _constant(config, _warmup_steps(config.warmup, total_steps, steps_per_epoch))
        case CosineConfig():
            return _cosine(config, _warmup_steps(config.warmup, total_steps, steps_per_epoch), total_steps)
        case OneCycleConfig():
            return _one_cycle(config, total_steps)
        case CustomScheduleConfig():
            raise NotImplementedError(config.callable)


def _warmup_steps(warmup: Duration, total_steps: int, steps_per_epoch: int) -> int:
    try:
        steps = warmup.steps(steps_per_epoch, total_steps)
    except ValueError as error:
        raise _warmup_error(str(error)) from None
    if steps > total_steps:
        raise _warmup_error(
            f"{warmup} is {steps} steps, more than the training's {total_steps}; shorten it or raise train.epochs"
        )
    return steps


def _warmup_error(message: str) -> ConfigError:
    return ConfigError([ConfigProblem("schedule.warmup", message)])


def _constant(config: ConstantConfig, warmup: int) -> Schedule:
    def factor(step: int) -> float:
        if step < warmup:
            return _between(config.warmup_factor, 1.0, step / warmup)
        return 1.0

    return factor


def _cosine(config: CosineConfig, warmup: int, total_steps: int) -> Schedule:
    fall = total_steps - warmup

    def factor(step: int) -> float:
        if step < warmup:
            return _between(config.warmup_factor, 1.0, step / warmup)
        return _anneal(1.0, config.final_factor, min(step - warmup, fall) / max(fall, 1))

    return factor


def _one_cycle(config: OneCycleConfig, total_steps: int) -> Schedule:
    """The same values as torch.optim.lr_scheduler.OneCycleLR with cosine annealing in two phases.

    With so few steps that the rise has none, the first step is the top.
    """
    start = 1 / config.start_divisor
    end = start / config.final_divisor
    last = total_steps - 1
    top = max(config.rise * total_steps - 1, 0.0)

    def factor(step: int) -> float:
        if step < top:
            return _anneal(start, 1.0, step / top)
        if top < last:
            return _anneal(1.0, end, (min(step, last) - top) / (last - top))
        return 1.0

    return factor


def _between(start: float, end: float, progress: float) -> float:
    return start + (end - start) * progress


def _anneal(start: float, end: float, progress: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2
