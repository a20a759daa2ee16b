import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vernier.config.duration import Duration
from vernier.config.schedule import ConstantConfig, CosineConfig, OneCycleConfig
from vernier.errors import ConfigError
from vernier.optim.schedules import make_schedule

factors = st.floats(0, 1)


@st.composite
def schedules(draw):
    total = draw(st.integers(1, 400))
    warmup = Duration(draw(st.integers(0, total)), "st")
    config = draw(
        st.one_of(
            st.builds(ConstantConfig, warmup=st.just(warmup), warmup_factor=factors),
            st.builds(CosineConfig, warmup=st.just(warmup), warmup_factor=factors, final_factor=factors),
            st.builds(
                OneCycleConfig,
                rise=st.floats(0.01, 0.99),
                start_divisor=st.floats(1, 1e3),
                final_divisor=st.floats(1, 1e6),
            ),
        )
    )
    return config, total


def torch_rates(make_scheduler, steps):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = make_scheduler(optimizer)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


@given(schedules())
def test_factors_lie_between_0_and_1_and_depend_on_the_step_alone(case):
    config, total = case
    first = make_schedule(config, total_steps=total, steps_per_epoch=1)
    again = make_schedule(config, total_steps=total, steps_per_epoch=1)
    forwards = [first(step) for step in range(total + 2)]
    backwards = [again(step) for step in reversed(range(total + 2))]
    assert forwards == backwards[::-1]
    assert all(isinstance(factor, float) and -1e-12 <= factor <= 1 + 1e-12 for factor in forwards)


@given(schedules())
def test_no_jump_is_larger_than_the_steepest_slope(case):
    config, total = case
    schedule = make_schedule(config, total_steps=total, steps_per_epoch=1)
    jumps = [abs(schedule(step + 1) - schedule(step)) for step in range(total + 2)]
    if config.name == "one_cycle":
        top = config.rise * total - 1
        lengths = [length for length in (top, total - 1 - max(top, 0)) if length > 0]
    else:
        warmup = config.warmup.steps(1, total)
        lengths = [length for length in (warmup, total - warmup) if length > 0]
    steepest = max((math.pi / 2 / length for length in lengths), default=0.0)
    assert max(jumps) <= min(1.0, steepest) + 1e-9


@pytest.mark.parametrize("final", [0.0, 0.1])
def test_cosine_is_torchs(final):
    total = 57
    schedule = make_schedule(CosineConfig(final_factor=final), total_steps=total, steps_per_epoch=10)
    expected = torch_rates(
        lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=total, eta_min=final), total + 1
    )
    assert [schedule(step) for step in range(total + 1)] == pytest.approx(expected, abs=1e-12)


def test_cosine_with_warmup_is_torchs_linear_rise_then_cosine():
    config = CosineConfig(warmup=Duration(2, "ep"), warmup_factor=0.1, final_factor=0.01)
    schedule = make_schedule(config, total_steps=50, steps_per_epoch=5)

    def scheduler(optimizer):
        rise = torch.optim.lr_scheduler.LinearLR(optimizer, 0.1, total_iters=10)
        fall = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=40, eta_min=0.01)
        return torch.optim.lr_scheduler.SequentialLR(optimizer, [rise, fall], milestones=[10])

    assert [schedule(step) for step in range(50)] == pytest.approx(torch_rates(scheduler, 50), abs=1e-9)


@given(st.integers(4, 300), st.floats(0.3, 0.9), st.floats(1, 100), st.floats(1, 1e5))
def test_one_cycle_is_torchs(total, rise, start_divisor, final_divisor):
    config = OneCycleConfig(rise=rise, start_divisor=start_divisor, final_divisor=final_divisor)
    schedule = make_schedule(config, total_steps=total, steps_per_epoch=1)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        1.0,
        total_steps=total,
        pct_start=rise,
        div_factor=start_divisor,
        final_div_factor=final_divisor,
        cycle_momentum=False,
    )
    for step in range(total):
        assert schedule(step) == pytest.approx(scheduler.get_last_lr()[0], abs=1e-9)
        if step + 1 < total:
            optimizer.step()
            scheduler.step()


@pytest.mark.parametrize("total", [1, 2, 3])
def test_one_cycle_of_very_few_steps_starts_at_the_top(total):
    schedule = make_schedule(OneCycleConfig(), total_steps=total, steps_per_epoch=1)
    assert schedule(0) == 1.0


def test_constant_stays_after_its_warmup():
    schedule = make_schedule(ConstantConfig(warmup=Duration(10, "%")), total_steps=40, steps_per_epoch=4)
    assert [schedule(step) for step in (0, 2, 4, 39)] == [0.0, 0.5, 1.0, 1.0]


def test_a_warmup_longer_than_the_training_names_the_key():
    with pytest.raises(ConfigError, match=r"schedule\.warmup: 3ep is 30 steps, more than the training's 20"):
        make_schedule(CosineConfig(warmup=Duration(3, "ep")), total_steps=20, steps_per_epoch=10)


def test_a_warmup_in_seconds_names_the_key():
    with pytest.raises(ConfigError, match=r"schedule\.warmup: 60s is a time"):
        make_schedule(ConstantConfig(warmup=Duration(60, "s")), total_steps=20, steps_per_epoch=10)
