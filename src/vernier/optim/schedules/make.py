"""Warm-up and hold, and then a course: the whole schedule."""

from collections.abc import Callable

from vernier.config.schedule import NoamConfig, ScheduleConfig
from vernier.optim.schedules.clock import Clock
from vernier.optim.schedules.courses import Course, make_course
from vernier.optim.schedules.curves import line

Schedule = Callable[[int], float]
"""From the number of finished optimizer steps (0 before the first) to a factor of the learning rate."""


def make_schedule(config: ScheduleConfig, *, total_steps: int, steps_per_epoch: int) -> Schedule:
    """The factor for each of `total_steps` steps; from `total_steps` on it stays at its last value.

    A fall that takes the rest of the training is over when the training is: the step after the last one would have
    the final value. Only one_cycle gives it to the last step itself, as torch does.

    Raises:
        ConfigError: all durations that do not fit, or a function of the user's that can't be used.
    """
    clock = Clock(total_steps, steps_per_epoch)
    clock.check(config)
    after = _after_hold(make_course(config, clock), config, clock)
    schedule = _risen(after, config.warmup_factor, clock.warmup(config))
    return _one_step_ahead(schedule) if isinstance(config, NoamConfig) else schedule


def _after_hold(course: Course, config: ScheduleConfig, clock: Clock) -> Schedule:
    """The course, begun late and held at the end of the training, perhaps with its changes between epochs only."""
    start, total, per_epoch = clock.start(config), clock.total, clock.per_epoch

    def by_step(step: int) -> float:
        return course(max(min(step, total) - start, 0))

    def by_epoch(step: int) -> float:
        step = min(step, total)
        return course(max(step - step % per_epoch - start, 0))

    return by_epoch if getattr(config, "per", "step") == "epoch" else by_step


def _risen(after: Schedule, warmup_factor: float, warmup: int) -> Schedule:
    """What comes after the warm-up, and before that a straight line up to its beginning."""
    if warmup == 0:
        return after
    first = after(0)
    bottom = warmup_factor * first
    return lambda step: line(bottom, first, step / warmup) if step < warmup else after(step)


def _one_step_ahead(schedule: Schedule) -> Schedule:
    """Noam counts steps from 1."""
    return lambda step: schedule(step + 1)
