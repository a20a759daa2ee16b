"""What each schedule does after warm-up and hold.

A course is made from a kind's config and the clock, and is a function of the steps since then, from 0 to the rest of
the training.
"""

import math
from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate
from typing import Any

from vernier.config.duration import Duration
from vernier.config.schedule import (
    ConstantConfig,
    CosineConfig,
    CosineRestartsConfig,
    CustomScheduleConfig,
    ExplicitConfig,
    ExponentialConfig,
    ExponentialCosineConfig,
    FlatAndAnnealConfig,
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
from vernier.optim.schedules.clock import Clock
from vernier.optim.schedules.curves import half_cosine, line
from vernier.optim.schedules.custom import custom
from vernier.optim.schedules.cycle import Cycle

Course = Callable[[int], float]
"""From the number of steps since warm-up and hold to a factor of the learning rate."""


def make_course(config: ScheduleConfig, clock: Clock) -> Course:
    """The course of a schedule that fits (see `Clock.check`)."""
    return _COURSES[type(config)](config, clock)


def _constant(config: ConstantConfig | ReduceOnPlateauConfig, clock: Clock) -> Course:
    return lambda step: 1.0


def _exponential(config: ExponentialConfig | StepConfig, clock: Clock) -> Course:
    rate, least, every = config.decay_rate, config.min_factor, clock.some_steps(config.every)
    if isinstance(config, StepConfig) or config.staircase:
        return lambda step: max(rate ** (step // every), least)
    return lambda step: max(rate ** (step / every), least)


def _exponential_cosine(config: ExponentialCosineConfig, clock: Clock) -> Course:
    rate, every, final = config.decay_rate, clock.some_steps(config.every), config.final_factor
    length = min(clock.some_steps(config.cosine), clock.rest(config))
    begin = clock.rest(config) - length

    def factor(step: int) -> float:
        decayed: float = rate ** (step // every if config.staircase else step / every)
        return decayed if step <= begin else half_cosine(decayed, final * decayed, (step - begin) / length)

    return factor


def _multi_step(config: MultiStepConfig, clock: Clock) -> Course:
    rate, least = config.decay_rate, config.min_factor
    milestones = [clock.some_steps(time) for time in config.milestones]
    return lambda step: max(rate ** bisect_right(milestones, step), least)


def _piecewise_constant(config: PiecewiseConstantConfig, clock: Clock) -> Course:
    factors, boundaries = config.factors, [clock.some_steps(time) for time in config.boundaries]
    return lambda step: factors[bisect_right(boundaries, step)]


def _explicit(config: ExplicitConfig, clock: Clock) -> Course:
    factors, every, last = config.factors, clock.some_steps(config.every), len(config.factors) - 1
    return lambda step: factors[min(step // every, last)]


def _fall_steps(length: Duration | None, config: ScheduleConfig, clock: Clock) -> int:
    return clock.rest(config) if length is None else min(clock.some_steps(length), clock.rest(config))


def _linear(config: LinearConfig, clock: Clock) -> Course:
    final, length = config.final_factor, _fall_steps(config.length, config, clock)
    return lambda step: line(1.0, final, min(step, length) / length)


def _polynomial(config: PolynomialConfig, clock: Clock) -> Course:
    final, power, length = config.final_factor, config.power, _fall_steps(config.length, config, clock)
    return lambda step: line(final, 1.0, (1 - min(step, length) / length) ** power)


def _polynomial_restarts(config: PolynomialRestartsConfig, clock: Clock) -> Course:
    final, power, period = config.final_factor, config.power, clock.some_steps(config.period)

    def factor(step: int) -> float:
        begun = max(1, -(-step // period))
        return line(final, 1.0, (1 - step / (period * begun)) ** power)

    return factor


def _inverse_time(config: InverseTimeConfig, clock: Clock) -> Course:
    rate, least, every = config.decay_rate, config.min_factor, clock.some_steps(config.every)
    if config.staircase:
        return lambda step: max(1 / (1 + rate * (step // every)), least)
    return lambda step: max(1 / (1 + rate * step / every), least)


def _cosine(config: CosineConfig, clock: Clock) -> Course:
    final, length = config.final_factor, _fall_steps(config.length, config, clock)
    return lambda step: half_cosine(1.0, final, min(step, length) / length)


def _cosine_restarts(config: CosineRestartsConfig, clock: Clock) -> Course:
    """Restarts are counted, not computed with logarithms, which miss some by a step."""
    periods = _periods(clock.some_steps(config.period), config.t_mul, clock.rest(config))
    starts = [0, *accumulate(periods)]
    final, share = config.final_factor, config.m_mul

    def factor(step: int) -> float:
        number = bisect_right(starts, step) - 1
        progress = (step - starts[number]) / periods[number]
        return final + (1 - final) * share**number * (1 + math.cos(math.pi * progress)) / 2

    return factor


def _periods(first: int, growth: float, rest: int) -> list[int]:
    """Lengths of the periods, enough for more than `rest` steps."""
    periods, covered = [first], first
    while covered <= rest:
        periods.append(round(first * growth ** len(periods)))
        covered += periods[-1]
    return periods


def _flat_and_anneal(config: FlatAndAnnealConfig, clock: Clock) -> Course:
    final, rest = config.final_factor, clock.rest(config)
    return lambda step: half_cosine(1.0, final, step / rest)


def _noam(config: NoamConfig, clock: Clock) -> Course:
    warmup = max(1, clock.warmup(config))
    return lambda step: math.sqrt(warmup / (warmup + step))


def _one_cycle(config: OneCycleConfig, clock: Clock) -> Course:
    start = 1 / config.start_divisor
    cycle = Cycle(config.rise, clock.rest(config))
    return lambda step: cycle.between(step, start, 1.0, start / config.final_divisor)


def _custom(config: CustomScheduleConfig, clock: Clock) -> Course:
    function, rest = custom(config), clock.rest(config)
    return lambda step: function(step / rest)


_COURSES: dict[type[ScheduleConfig], Callable[[Any, Clock], Course]] = {
    ConstantConfig: _constant,
    ExponentialConfig: _exponential,
    ExponentialCosineConfig: _exponential_cosine,
    StepConfig: _exponential,
    MultiStepConfig: _multi_step,
    PiecewiseConstantConfig: _piecewise_constant,
    ExplicitConfig: _explicit,
    LinearConfig: _linear,
    PolynomialConfig: _polynomial,
    PolynomialRestartsConfig: _polynomial_restarts,
    InverseTimeConfig: _inverse_time,
    CosineConfig: _cosine,
    CosineRestartsConfig: _cosine_restarts,
    FlatAndAnnealConfig: _flat_and_anneal,
    NoamConfig: _noam,
    OneCycleConfig: _one_cycle,
    ReduceOnPlateauConfig: _constant,
    CustomScheduleConfig: _custom,
}
