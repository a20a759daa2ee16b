"""Schedules that can't work are refused when the config is read, as far as epochs and percent tell."""

import pytest

from vernier.config.loading import config_from_mapping
from vernier.errors import ConfigError


def problems(schedule, **settings) -> list[str]:
    try:
        config_from_mapping({"data": "x", "schedule": schedule, **settings})
    except ConfigError as error:
        return [problem.key for problem in error.problems]
    return []


def kind(name, **fields):
    return {"name": name, **fields}


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (kind("cosine", warmup="9.9ep"), []),
        (kind("cosine", warmup="10ep"), ["schedule.warmup"]),
        (kind("cosine", warmup="100%"), ["schedule.warmup"]),
        (kind("cosine", warmup="100000st"), []),
        (kind("cosine", warmup="1ep", hold="90%"), ["schedule.hold"]),
        (kind("linear", warmup="1ep", length="9ep"), []),
        (kind("linear", warmup="1ep", length="91%"), ["schedule.length"]),
        (kind("linear", hold="10s"), ["schedule.hold"]),
        (kind("exponential_cosine", cosine="11ep"), ["schedule.cosine"]),
        (kind("exponential", every="11ep"), []),
        (kind("exponential", every="11ep", staircase=True), ["schedule.every"]),
        (kind("step", every="0ep"), ["schedule.every"]),
        (kind("multi_step", milestones=["3ep", "60%"]), []),
        (kind("multi_step", milestones=["3ep", "30%"]), ["schedule.milestones[1]"]),
        (kind("multi_step", milestones=["10ep", "11ep"]), ["schedule.milestones[0]", "schedule.milestones[1]"]),
        (kind("multi_step", milestones=[]), ["schedule.milestones"]),
        (kind("multi_step", milestones="5m"), ["schedule.milestones[0]"]),
        (kind("piecewise_constant", boundaries="5ep", factors=[1, 0.5]), []),
        (kind("piecewise_constant", boundaries="5ep", factors=[1]), ["schedule.factors"]),
        (kind("explicit", factors=[1] * 10), []),
        (kind("explicit", factors=[1] * 11), ["schedule.factors"]),
        (kind("polynomial_restarts", period="101%"), ["schedule.period"]),
        (kind("noam"), ["schedule.warmup"]),
        (kind("noam", warmup="4%"), []),
        (kind("one_cycle", warmup_factor=0.5), ["schedule.warmup_factor"]),
        (kind("cosine", final_factor=1.5), ["schedule.final_factor"]),
        (kind("cosine_restarts", t_mul=0.5, m_mul=2), ["schedule.t_mul", "schedule.m_mul"]),
    ],
    ids=str,
)
def test_what_can_not_work_names_its_key(schedule, expected):
    assert problems(schedule) == expected


def test_a_trial_of_one_step_needs_no_room():
    assert problems(kind("cosine", warmup="20ep"), **{"train.fast_dev_run": True}) == []


def test_a_wrong_number_of_epochs_is_not_held_against_the_schedule():
    assert problems(kind("cosine", warmup="20ep"), **{"train.epochs": 0}) == ["train.epochs"]


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [("sgd", []), ("adamw", []), ("torch.optim.ASGD", []), ("adagrad", ["schedule.momentum"])],
)
def test_momentum_needs_an_optimizer_that_has_it(optimizer, expected):
    assert problems(kind("one_cycle", momentum=[0.85, 0.95]), optimizer=optimizer) == expected
    assert problems(kind("one_cycle"), optimizer=optimizer) == []


def test_momentum_is_written_smaller_number_first():
    assert problems(kind("one_cycle", momentum=[0.95, 0.85])) == ["schedule.momentum"]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"source": "x"}, []),
        ({"source": "x", "split": {"val": 0}}, ["schedule"]),
        ({"source": "x", "val_split": "none"}, ["schedule"]),
        ({"train": "x", "val": "y", "split": {"val": 0}}, []),
    ],
)
def test_a_plateau_needs_validation(data, expected):
    assert problems("reduce_on_plateau", data=data) == expected
