"""Batches, steps and what comes up when."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vernier.config.duration import Duration
from vernier.training.due import Timer, comes_up
from vernier.training.steps import Steps


@given(batches=st.integers(1, 40), accumulate=st.integers(1, 40), epochs=st.integers(1, 5))
def test_the_batches_of_all_steps_are_those_of_the_epoch(batches, accumulate, epochs):
    steps = Steps(batches, accumulate, epochs)
    groups = list(dict.fromkeys(steps.batches_of_step(batch) for batch in range(batches)))
    assert [batch for group in groups for batch in group] == list(range(batches))
    assert len(groups) == steps.per_epoch
    assert all(len(group) == accumulate for group in groups[:-1])
    assert steps.total == epochs * len(groups)


def test_a_limit_only_shortens():
    assert Steps(10, 2, 3, limit=4).total == 4
    assert Steps(10, 2, 3, limit=400).total == 15


@given(
    per_epoch=st.integers(1, 50), epochs=st.integers(1, 6), every=st.fractions(Fraction(1, 20), 4, max_denominator=20)
)
def test_parts_of_epochs_come_up_as_often_as_they_fit(per_epoch, epochs, every):
    steps = Steps(per_epoch, 1, epochs)
    duration = Duration(float(every), "ep")
    due = [step for step in range(1, steps.total + 1) if comes_up(duration, steps, step)]
    # Exact arithmetic as the oracle; more often than every step it can't be.
    interval = max(every * per_epoch, Fraction(1))
    assert due == [s for s in range(1, steps.total + 1) if s // interval > (s - 1) // interval]


@pytest.mark.parametrize(
    ("text", "expected"), [("2ep", [6, 12]), ("5st", [5, 10]), ("50%", [6, 12]), ("1ep", [3, 6, 9, 12])]
)
def test_every_unit_of_steps(text, expected):
    steps = Steps(3, 1, 4)
    assert [step for step in range(1, 13) if comes_up(Duration.parse(text), steps, step)] == expected


def test_a_timer_in_steps_goes_by_the_count_from_the_first_step():
    timer = Timer(Duration.parse("5st"), Steps(10, 1, 2), step=3)
    assert next(step for step in range(4, 12) if timer.is_due(step)) == 5
    timer.restart(5)
    assert not timer.is_due(9)
    assert timer.is_due(10)


def test_a_timer_without_time_is_always_due():
    assert Timer(Duration.parse("0s"), Steps(1, 1, 1), 0).is_due(1)
