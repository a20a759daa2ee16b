"""What has to hold for `schedule`. One function a rule.

The same rules are applied twice: to the config, as far as its durations can be compared with `train.epochs`, and in
steps once these are known.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import final

from vernier.config.checks.finding import Check, Finding
from vernier.config.checks.validation_set import needs_validation
from vernier.config.duration import Duration
from vernier.config.root import Config
from vernier.config.schedule import (
    CosineConfig,
    CosineRestartsConfig,
    ExplicitConfig,
    ExponentialConfig,
    ExponentialCosineConfig,
    InverseTimeConfig,
    LinearConfig,
    MultiStepConfig,
    NoamConfig,
    OneCycleConfig,
    PiecewiseConstantConfig,
    PolynomialConfig,
    PolynomialRestartsConfig,
    ReduceOnPlateauConfig,
    ScheduleConfig,
    StepConfig,
)

Problem = tuple[str, str]
"""A field of the schedule, and a sentence with the remedy."""

_MAY_BE_NOTHING = ("warmup", "hold")
_ROUNDING = 1e-9


@final
@dataclass(frozen=True)
class TrainingLength:
    """How long a training is, in epochs or in steps.

    Attributes:
        total: The whole of it.
        epoch: One epoch.
        step: One step; None as long as nobody knows.
        words: What says so, for messages.
    """

    total: float
    epoch: float
    step: float | None
    words: str

    def measure(self, duration: Duration) -> float | None:
        """A duration in the same unit, not rounded; None if that is not known."""
        if duration.unit == "st":
            return None if self.step is None else duration.value * self.step
        return duration.value * (self.epoch if duration.unit == "ep" else self.total / 100)


def schedule_problems(schedule: ScheduleConfig, length: TrainingLength) -> Iterator[Problem]:
    """All that is wrong with a schedule; what can't be measured yet is left for later."""
    yield from list(_flaws(schedule)) or _misfits(schedule, length)


def _flaws(schedule: ScheduleConfig) -> Iterator[Problem]:
    """What is wrong whatever the training's length."""
    yield from _durations_in_time(schedule)
    yield from _empty_durations(schedule)
    yield from _lists_that_do_not_match(schedule)
    yield from _warmup_factor_without_warmup(schedule)


def _durations(schedule: ScheduleConfig) -> Iterator[tuple[str, Duration]]:
    for name in type(schedule).model_fields:
        value = getattr(schedule, name)
        for index, item in enumerate(value if isinstance(value, tuple) else [value]):
            if isinstance(item, Duration):
                yield (f"{name}[{index}]" if isinstance(value, tuple) else name), item


def _durations_in_time(schedule: ScheduleConfig) -> Iterator[Problem]:
    for name, duration in _durations(schedule):
        if duration.unit == "s":
            yield name, f"can't be a time; got {duration}; write it in ep (epochs), st (steps) or %, such as 1ep"


def _empty_durations(schedule: ScheduleConfig) -> Iterator[Problem]:
    for name, duration in _durations(schedule):
        if duration.value == 0 and name not in _MAY_BE_NOTHING:
            yield name, f"must be more than nothing; got {duration}; write 1st for a single step"


def _lists_that_do_not_match(schedule: ScheduleConfig) -> Iterator[Problem]:
    match schedule:
        case PiecewiseConstantConfig(boundaries=boundaries, factors=factors) if len(factors) != len(boundaries) + 1:
            message = f"must be one value more than there are boundaries ({len(boundaries)}); got {len(factors)}"
            yield "factors", f"{message}; complete the shorter list"
        case MultiStepConfig(milestones=()):
            yield "milestones", "holds nothing; name a time, such as [30ep], or use schedule=constant"
        case ExplicitConfig(factors=()):
            yield "factors", "holds nothing; give a value for each epoch, such as [1, 0.5, 0.1]"


def _warmup_factor_without_warmup(schedule: ScheduleConfig) -> Iterator[Problem]:
    if schedule.warmup_factor > 0 and schedule.warmup.value == 0:
        yield "warmup_factor", f"does nothing without schedule.warmup; got {schedule.warmup_factor:g}; set both or none"


def _misfits(schedule: ScheduleConfig, length: TrainingLength) -> Iterator[Problem]:
    warmup, hold = length.measure(schedule.warmup), length.measure(schedule.hold)
    if warmup is not None and warmup >= length.total * (1 - _ROUNDING):
        yield "warmup", f"must be shorter than the training ({length.words}); got {schedule.warmup}; shorten it"
        return
    if isinstance(schedule, NoamConfig) and schedule.warmup.value == 0:
        yield "warmup", "must be more than nothing: noam falls by its length; write schedule.warmup=10%, say"
    start = (warmup or 0.0) + (hold or 0.0)
    if start >= length.total * (1 - _ROUNDING):
        message = f"leaves nothing of the training ({length.words}) after warm-up and hold; got {schedule.hold}"
        yield "hold", f"{message}; shorten it"
        return
    yield from _boundaries_out_of_order(schedule, length)
    yield from _courses_that_do_not_fit(schedule, length, length.total - start)


def _boundaries_out_of_order(schedule: ScheduleConfig, length: TrainingLength) -> Iterator[Problem]:
    name = {MultiStepConfig: "milestones", PiecewiseConstantConfig: "boundaries"}.get(type(schedule))
    if name is None:
        return
    for index, (before, after) in enumerate(pairwise(getattr(schedule, name)), start=1):
        earlier, later = length.measure(before), length.measure(after)
        if earlier is not None and later is not None and later <= earlier:
            yield f"{name}[{index}]", f"must come after the one before ({before}); got {after}"


def _courses_that_do_not_fit(schedule: ScheduleConfig, length: TrainingLength, rest: float) -> Iterator[Problem]:
    """What takes longer than the rest of the training, or never comes in it."""
    room = "the training" if rest == length.total else "what warm-up and hold leave of the training"
    room = f"{room} ({length.words})"
    match schedule:
        case LinearConfig(length=Duration() as fall) | PolynomialConfig(length=Duration() as fall):
            yield from _too_long("length", fall, length, rest, room)
        case CosineConfig(length=Duration() as fall):
            yield from _too_long("length", fall, length, rest, room)
        case ExponentialCosineConfig(cosine=cosine):
            yield from _too_long("cosine", cosine, length, rest, room)
        case CosineRestartsConfig(period=period) | PolynomialRestartsConfig(period=period):
            yield from _too_long("period", period, length, rest, room)
        case (
            StepConfig(every=every)
            | ExponentialConfig(every=every, staircase=True)
            | InverseTimeConfig(every=every, staircase=True)
        ):
            yield from _never("every", every, length, rest, room)
        case MultiStepConfig(milestones=times):
            for index, time in enumerate(times):
                yield from _never(f"milestones[{index}]", time, length, rest, room)
        case PiecewiseConstantConfig(boundaries=times):
            for index, time in enumerate(times):
                yield from _never(f"boundaries[{index}]", time, length, rest, room)
        case ExplicitConfig(factors=factors, every=every):
            each = length.measure(every)
            if each is not None and each * (len(factors) - 1) >= rest * (1 - _ROUNDING):
                message = f"holds {len(factors)} values for {every} each, more than fit into {room}"
                yield "factors", f"{message}; shorten the list, or train longer"


def _too_long(name: str, duration: Duration, length: TrainingLength, rest: float, room: str) -> Iterator[Problem]:
    measured = length.measure(duration)
    if measured is not None and measured > rest * (1 + _ROUNDING):
        yield name, f"is longer than {room}; got {duration}; shorten it"


def _never(name: str, duration: Duration, length: TrainingLength, rest: float, room: str) -> Iterator[Problem]:
    measured = length.measure(duration)
    if measured is not None and measured >= rest * (1 - _ROUNDING):
        yield name, f"must be less than {room}; got {duration}; lower it, or train longer"


def schedule_is_sound(config: Config) -> Iterator[Finding]:
    """Durations are in epochs, steps or percent, and lists have the lengths that belong together."""
    for name, message in _flaws(config.schedule):
        yield Finding(f"schedule.{name}", message)


def schedule_fits(config: Config) -> Iterator[Finding]:
    """Warm-up, hold and what comes after them fit into the training."""
    if config.train.fast_dev_run or any(_flaws(config.schedule)):
        return
    epochs = config.train.epochs
    length = TrainingLength(epochs, 1.0, None, f"train.epochs={epochs}")
    for name, message in _misfits(config.schedule, length):
        yield Finding(f"schedule.{name}", message, ("train.epochs",))


def momentum_can_cycle(config: Config) -> Iterator[Finding]:
    """Only an optimizer with momentum can have it cycled; one of the user's own is asked when it is built."""
    schedule, optimizer = config.schedule, config.optimizer
    if not isinstance(schedule, OneCycleConfig) or schedule.momentum is None or optimizer.name == "custom":
        return
    if not {"momentum", "betas"} & set(type(optimizer).model_fields):
        message = f"needs an optimizer with momentum, and {optimizer.name} has none; leave it out, or use sgd or adamw"
        yield Finding("schedule.momentum", message, ("optimizer.name",))


def plateau_has_validation(config: Config) -> Iterator[Finding]:
    """A plateau is one of validations."""
    if isinstance(config.schedule, ReduceOnPlateauConfig):
        yield from needs_validation(config, "schedule.name", "use another schedule")


CHECKS: tuple[Check, ...] = (schedule_is_sound, schedule_fits, momentum_can_cycle, plateau_has_validation)
