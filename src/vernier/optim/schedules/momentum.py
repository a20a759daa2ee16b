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


def momentum_setter(optimizer: torch.optim.Optimizer) -> Callable[[float], None]:
    """What sets the momentum of all parameter groups: `momentum`, or the first of `betas`.

    Raises:
        ConfigError: the optimizer has neither.
    """
    if "momentum" in optimizer.defaults:
        return lambda momentum: _set_momentum(optimizer, momentum)
    if "betas" in optimizer.defaults:
        return lambda momentum: _set_first_beta(optimizer, momentum)
    name = type(optimizer).__name__
    message = f"needs an optimizer with momentum, and {name} has none; leave it out, or use sgd or adamw"
    raise ConfigError([ConfigProblem("schedule.momentum", message)])


def _set_momentum(optimizer: torch.optim.Optimizer, momentum: float) -> None:
    for group in optimizer.param_groups:
        group["momentum"] = momentum


def _set_first_beta(optimizer: torch.optim.Optimizer, momentum: float) -> None:
    for group in optimizer.param_groups:
        group["betas"] = (momentum, *group["betas"][1:])
