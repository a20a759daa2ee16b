import math
import timeit
from itertools import pairwise

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from vernier.config.duration import Duration
from vernier.config.schedule import (
    ConstantConfig,
    CosineConfig,
    CosineRestartsConfig,
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
    StepConfig,
)
from vernier.errors import ConfigError
from vernier.optim.schedules import make_momentum, make_schedule

factors = st.floats(0, 1)
rates = st.floats(0.01, 1)
FALLING = {
    ConstantConfig: {},
    ExponentialConfig: {"decay_rate": rates, "staircase": st.booleans(), "min_factor": factors},
    ExponentialCosineConfig: {"decay_rate": rates, "staircase": st.booleans(), "final_factor": factors},
    StepConfig: {"decay_rate": rates, "min_factor": factors},
    MultiStepConfig: {"decay_rate": rates, "min_factor": factors},
    LinearConfig: {"final_factor": factors},
    PolynomialConfig: {"power": st.floats(0.1, 10), "final_factor": factors},
    InverseTimeConfig: {"decay_rate": st.floats(0, 100), "staircase": st.booleans(), "min_factor": factors},
    CosineConfig: {"final_factor": factors},
    FlatAndAnnealConfig: {"final_factor": factors},
    NoamConfig: {},
    ReduceOnPlateauConfig: {},
}
OTHERS = {
    PiecewiseConstantConfig: {"factors": st.lists(st.floats(0, 10), min_size=3, max_size=3)},
    ExplicitConfig: {"factors": st.lists(st.floats(0, 10), min_size=1, max_size=3)},
    PolynomialRestartsConfig: {"power": st.floats(0.1, 10), "final_factor": factors},
    CosineRestartsConfig: {"t_mul": st.floats(1, 3), "m_mul": rates, "final_factor": factors},
    OneCycleConfig: {
        "rise": st.floats(0.01, 0.99),
        "start_divisor": st.floats(1, 1e3),
        "final_divisor": st.floats(1, 1e6),
        "momentum": st.just((0.8, 0.9)),
    },
}


@st.composite
def cases(draw, kinds):
    """A schedule that fits, with the steps of its training and of an epoch."""
    kind = draw(st.sampled_from(list(kinds)))
    total, per_epoch = draw(st.integers(3, 300)), draw(st.integers(1, 50))
    share = st.floats(1, 30).map(lambda part: Duration(part, "%"))
    fields = {name: draw(strategy) for name, strategy in kinds[kind].items()}
    if draw(st.booleans()) or kind is NoamConfig:
        fields |= {"warmup": draw(share), "warmup_factor": draw(factors)}
    if draw(st.booleans()) or kind is FlatAndAnnealConfig:
        fields["hold"] = draw(share)
    if "every" in kind.model_fields:
        fields["every"] = Duration(draw(st.floats(0.1, 15)), "%")
    if "per" in kind.model_fields:
        fields["per"] = draw(st.sampled_from(["step", "epoch"]))
    for name, times in (("milestones", (10, 30)), ("boundaries", (10, 30)), ("length", 30), ("cosine", 30)):
        if name in kind.model_fields:
            fields[name] = _durations(times)
    return kind(**fields), {"total_steps": total, "steps_per_epoch": per_epoch}


def _durations(percents):
    return tuple(map(_durations, percents)) if isinstance(percents, tuple) else Duration(percents, "%")


def starts(config, total):
    warmup = min(config.warmup.steps(1, total), total - 1)
    return warmup, min(warmup + config.hold.steps(1, total), total - 1)


@given(cases(FALLING | OTHERS))
def test_factors_are_finite_and_depend_on_the_step_alone(case):
    config, length = case
    first, again = make_schedule(config, **length), make_schedule(config, **length)
    steps = range(length["total_steps"] + 3)
    forwards = [first(step) for step in steps]
    assert forwards == [again(step) for step in reversed(steps)][::-1]
    assert all(isinstance(factor, float) and math.isfinite(factor) and factor >= -1e-12 for factor in forwards)


@given(cases(FALLING))
def test_most_schedules_rise_during_the_warmup_stay_at_the_top_and_fall(case):
    config, length = case
    total = length["total_steps"]
    warmup, start = starts(config, total)
    ahead = 1 if isinstance(config, NoamConfig) else 0
    assume(warmup >= ahead)
    values = [make_schedule(config, **length)(step) for step in range(total + 1)]
    rise, top, fall = values[: warmup - ahead], values[warmup - ahead : start - ahead + 1], values[start - ahead :]
    assert rise == sorted(rise)
    assert top == pytest.approx([1.0] * len(top))
    assert all(after <= before + 1e-12 for before, after in pairwise(fall))
    assert max(values) <= 1 + 1e-12


@given(cases(FALLING | OTHERS))
def test_a_warmup_is_a_straight_line_to_the_first_value(case):
    config, length = case
    warmup, start = starts(config, length["total_steps"])
    assume(warmup > 0 and not isinstance(config, NoamConfig))
    schedule = make_schedule(config, **length)
    first = schedule(start)
    slope = first * (1 - config.warmup_factor) / warmup
    assert schedule(0) == pytest.approx(first * config.warmup_factor)
    for step in range(warmup):
        assert schedule(step + 1) - schedule(step) == pytest.approx(slope, abs=1e-9)
    assert {schedule(step) for step in range(warmup, start)} <= {first}


@given(cases(FALLING))
def test_falls_end_at_their_final_value_and_stay(case):
    config, length = case
    total = length["total_steps"]
    schedule = make_schedule(config, **length)
    assert schedule(total) == schedule(total + 1) == schedule(10 * total)
    if (
        isinstance(config, LinearConfig | PolynomialConfig | CosineConfig | FlatAndAnnealConfig)
        and config.per == "step"
    ):
        assert schedule(total) == pytest.approx(config.final_factor, abs=1e-12)
    if isinstance(config, ExponentialConfig | StepConfig | MultiStepConfig | InverseTimeConfig):
        assert schedule(total) >= config.min_factor


@given(cases({kind: fields for kind, fields in (FALLING | OTHERS).items() if "per" in kind.model_fields}))
def test_per_epoch_the_first_step_of_an_epoch_speaks_for_all(case):
    config, length = case
    by_epoch = make_schedule(config.model_copy(update={"per": "epoch"}), **length)
    by_step = make_schedule(config.model_copy(update={"per": "step"}), **length)
    warmup, start = starts(config, length["total_steps"])
    for step in range(length["total_steps"]):
        first = step - step % length["steps_per_epoch"]
        assert by_epoch(step) == by_step(step if step < warmup else max(first, start))


def torch_rates(make_scheduler, steps):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = make_scheduler(optimizer)
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


def steps(count):
    return Duration(count, "st")


TORCH = {
    "constant": (
        ConstantConfig(warmup=steps(10), warmup_factor=0.2),
        lambda o: lr_scheduler.LinearLR(o, 0.2, total_iters=10),
    ),
    "exponential": (ExponentialConfig(decay_rate=0.97, every=steps(1)), lambda o: lr_scheduler.ExponentialLR(o, 0.97)),
    "step": (StepConfig(every=steps(7), decay_rate=0.3), lambda o: lr_scheduler.StepLR(o, 7, 0.3)),
    "multi_step": (
        MultiStepConfig(milestones=(steps(3), steps(20)), decay_rate=0.3),
        lambda o: lr_scheduler.MultiStepLR(o, [3, 20], 0.3),
    ),
    "linear": (
        LinearConfig(length=steps(30), final_factor=0.1),
        lambda o: lr_scheduler.LinearLR(o, 1.0, 0.1, total_iters=30),
    ),
    "polynomial": (
        PolynomialConfig(length=steps(40), power=1.7),
        lambda o: lr_scheduler.PolynomialLR(o, 40, 1.7),
    ),
    "cosine": (CosineConfig(final_factor=0.1), lambda o: lr_scheduler.CosineAnnealingLR(o, 57, 0.1)),
    "cosine_restarts": (
        CosineRestartsConfig(period=steps(9), t_mul=1, final_factor=0.05),
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 9, 1, 0.05),
    ),
    "cosine_restarts that grow": (
        CosineRestartsConfig(period=steps(5), t_mul=3, final_factor=0.05),
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 5, 3, 0.05),
    ),
    "warm-up and cosine": (
        CosineConfig(warmup=steps(10), warmup_factor=0.1, final_factor=0.01),
        lambda o: lr_scheduler.SequentialLR(
            o, [lr_scheduler.LinearLR(o, 0.1, total_iters=10), lr_scheduler.CosineAnnealingLR(o, 47, 0.01)], [10]
        ),
    ),
    "hold and steps": (
        StepConfig(hold=steps(11), every=steps(13), decay_rate=0.5),
        lambda o: lr_scheduler.MultiStepLR(o, [24, 37, 50], 0.5),
    ),
}


@pytest.mark.parametrize("case", TORCH)
def test_it_is_torchs(case):
    config, make_scheduler = TORCH[case]
    schedule = make_schedule(config, total_steps=57, steps_per_epoch=10)
    expected = torch_rates(make_scheduler, 57)
    assert [schedule(step) for step in range(57)] == pytest.approx(expected, abs=1e-9)


@given(st.integers(4, 300), st.floats(0.3, 0.9), st.floats(1, 100), st.floats(1, 1e5))
@settings(max_examples=30)
def test_one_cycle_is_torchs(total, rise, start_divisor, final_divisor):
    config = OneCycleConfig(rise=rise, start_divisor=start_divisor, final_divisor=final_divisor, momentum=(0.8, 0.93))
    length = {"total_steps": total, "steps_per_epoch": 1}
    schedule, momentum = make_schedule(config, **length), make_momentum(config, **length)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0, momentum=0.5)
    scheduler = lr_scheduler.OneCycleLR(
        optimizer, 1.0, total_steps=total, pct_start=rise, div_factor=start_divisor, final_div_factor=final_divisor,
        base_momentum=0.8, max_momentum=0.93,
    )  # fmt: skip
    for step in range(total):
        assert schedule(step) == pytest.approx(scheduler.get_last_lr()[0], abs=1e-9)
        assert momentum(step) == pytest.approx(optimizer.param_groups[0]["momentum"], abs=1e-9)
        if step + 1 < total:
            optimizer.step()
            scheduler.step()


@pytest.mark.parametrize("total", [1, 2, 3])
def test_one_cycle_of_very_few_steps_starts_at_the_top(total):
    schedule = make_schedule(OneCycleConfig(), total_steps=total, steps_per_epoch=1)
    assert schedule(0) == 1.0


@pytest.mark.parametrize("kind", [kind for kind in FALLING | OTHERS if kind not in (NoamConfig, ExplicitConfig)])
@pytest.mark.parametrize("total", [1, 2, 3, 5])
def test_defaults_fit_into_any_training(kind, total):
    schedule = make_schedule(kind(), total_steps=total * 4, steps_per_epoch=4)
    assert all(math.isfinite(schedule(step)) for step in range(total * 4 + 1))
    if kind not in (InverseTimeConfig, ExponentialCosineConfig):
        assert math.isfinite(make_schedule(kind(), total_steps=total, steps_per_epoch=total)(0))


def test_an_explicit_list_is_read_out_and_its_last_value_stays():
    config = ExplicitConfig(factors=(0.1, 1, 0.5), every=Duration(2, "ep"))
    schedule = make_schedule(config, total_steps=24, steps_per_epoch=3)
    assert [schedule(step) for step in (0, 5, 6, 11, 12, 23, 24)] == [0.1, 0.1, 1, 1, 0.5, 0.5, 0.5]


def test_what_comes_after_warmup_and_hold_counts_from_their_end():
    config = MultiStepConfig(warmup=steps(3), hold=steps(4), milestones=(steps(5),), decay_rate=0.5)
    schedule = make_schedule(config, total_steps=30, steps_per_epoch=10)
    assert [schedule(step) for step in (2, 3, 11, 12)] == [pytest.approx(2 / 3), 1, 1, 0.5]


def test_noam_in_the_papers_words():
    schedule = make_schedule(NoamConfig(warmup=steps(40)), total_steps=300, steps_per_epoch=10)
    expected = [math.sqrt(40) * min(t**-0.5, t * 40**-1.5) for t in range(1, 300)]
    assert [schedule(t - 1) for t in range(1, 300)] == pytest.approx(expected)


def test_a_call_is_cheap():
    config = CosineRestartsConfig(warmup=Duration(1, "ep"), per="epoch", t_mul=2)
    schedule = make_schedule(config, total_steps=10_000, steps_per_epoch=100)
    seconds = min(timeit.repeat(lambda: schedule(5000), number=1000, repeat=20)) / 1000
    assert seconds < 3e-6


MISFITS = [
    (CosineConfig(warmup=Duration(3, "ep")), "schedule.warmup", "must be shorter than the training"),
    (CosineConfig(warmup=Duration(2, "ep")), "schedule.warmup", "optimizer steps: 20, 10 an epoch"),
    (ConstantConfig(warmup=Duration(60, "s")), "schedule.warmup", "can't be a time; got 60s"),
    (CosineConfig(warmup=steps(5), hold=steps(15)), "schedule.hold", "leaves nothing"),
    (LinearConfig(length=steps(21)), "schedule.length", "is longer than the training"),
    (LinearConfig(hold=steps(1), length=steps(20)), "schedule.length", "what warm-up and hold leave"),
    (PolynomialRestartsConfig(period=steps(21)), "schedule.period", "is longer than the training"),
    (StepConfig(every=steps(20)), "schedule.every", "must be less than the training"),
    (MultiStepConfig(milestones=(steps(3), steps(25))), "schedule.milestones[1]", "got 25st"),
    (MultiStepConfig(milestones=(steps(3), steps(3))), "schedule.milestones[1]", "must come after"),
    (ExplicitConfig(factors=(1, 1, 1)), "schedule.factors", "more than fit"),
    (ExplicitConfig(), "schedule.factors", "holds nothing"),
    (PiecewiseConstantConfig(factors=(1, 2)), "schedule.factors", "one value more than there are boundaries (2)"),
    (ExponentialConfig(every=steps(0)), "schedule.every", "more than nothing"),
    (NoamConfig(), "schedule.warmup", "noam"),
    (CosineConfig(warmup_factor=0.1), "schedule.warmup_factor", "does nothing"),
]


@pytest.mark.parametrize(("config", "key", "words"), MISFITS, ids=[f"{case[1]}-{case[2][:20]}" for case in MISFITS])
def test_what_does_not_fit_names_the_key(config, key, words):
    with pytest.raises(ConfigError) as caught:
        make_schedule(config, total_steps=20, steps_per_epoch=10)
    (problem,) = caught.value.problems
    assert problem.key == key
    assert words in problem.message
