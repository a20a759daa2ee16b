"""Momentum as a function of the optimizer step, for one_cycle."""

from collections.abc import Callable

import torch

from vernier.config.schedule import OneCycleConfig, ScheduleConfig
from vernier.errors import ConfigError, ConfigProblem
from vernier.optim.schedules.clock import Clock
from vernier.optim.schedules.cycle import Cycle


def make_momentum(config: ScheduleConfig, *, total_steps: int, steps_per_epoch: int) -> Callable[[int], float] | None:
    """The momentum of each step; None when the optimizer's own stays.

    Raises:
        ConfigError: the schedule does not fit into the training.
    """
    if not isinstance(config, OneCycleConfig) or config.momentum is None:
        return None
    clock = Clock(total_steps, steps_per_epoch)
    clock.check(config)
    low, high = config.momentum
    start, cycle = clock.start(config), Cycle(config.rise, clock.rest(config))
    return lambda step: cycle.between(max(step - start, 0), high, low, high)


def set_momentum(optimizer: torch.optim.Optimizer, momentum: float) -> None:
    """Set what parameter groups have of it: `momentum`, the first of `betas`.

    Raises:
        ConfigError: a group has neither.
    """
    for group in optimizer.param_groups:
        if "momentum" not in group and "betas" not in group:
            name = type(optimizer).__name__
            message = f"needs an optimizer with momentum, and {name} has none; leave it out, or use sgd or adamw"
            raise ConfigError([ConfigProblem("schedule.momentum", message)])
        if "momentum" in group:
            group["momentum"] = momentum
        if "betas" in group:
            group["betas"] = (momentum, *group["betas"][1:])
