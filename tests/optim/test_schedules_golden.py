"""Schedules of other systems, to the digits that are known of them."""

import math
import re
from decimal import Decimal
from pathlib import Path

import pytest

from vernier.config.loading import config_from_mapping
from vernier.errors import ConfigError
from vernier.optim.schedules import make_momentum, make_schedule

STEPS_PER_EPOCH = 7
DOCS = Path(__file__).parents[2] / "docs" / "schedules.md"


def settings(schedule, lr, epochs):
    config = config_from_mapping(
        {"data": "x", "schedule": schedule, "optimizer": {"lr": lr}, "train": {"epochs": epochs}}
    ).config
    length = {"total_steps": epochs * STEPS_PER_EPOCH, "steps_per_epoch": STEPS_PER_EPOCH}
    return config, length


def rate(schedule, lr, epochs, epoch):
    """The learning rate at the beginning of an epoch, from 0."""
    config, length = settings(schedule, lr, epochs)
    return config.optimizer.lr * make_schedule(config.schedule, **length)(epoch * STEPS_PER_EPOCH)


def agrees(value, printed):
    """To half a unit of the last digit; numbers of at most three digits are exact ones."""
    number = Decimal(printed)
    digits = len(number.as_tuple().digits)
    half = 0.5 * 10.0 ** number.as_tuple().exponent if digits > 3 else 1e-9 * float(number)
    return abs(value - float(number)) <= half * (1 + 1e-9)


def table(text):
    """`0: 1e-3, 20 23: 9.9e-4` as pairs of an epoch and what is printed for it."""
    rows = (row.split(":") for row in text.split(","))
    return [(int(epoch), value.strip()) for epochs, value in rows for epoch in epochs.split()]


UPSTRIDE = {
    "exponential": (
        99,
        {"name": "exponential", "decay_rate": 0.9, "per": "epoch", "min_factor": 1e-7 / 0.045},
        "0: .045, 1: .0405, 3: .032805, 10: .015691, 98: .00000147563",
    ),
    "step": (99, {"name": "step", "decay_rate": 0.5, "every": "10ep"}, "9: .045, 10 19: .0225, 20: .01125"),
    "polynomial": (
        99,
        {"name": "polynomial", "power": 5, "per": "epoch", "final_factor": 1e-7 / 0.045},
        "5: .034728, 50: .0013367",
    ),
    "inverse_time": (99, {"name": "inverse_time", "decay_rate": 0.5, "per": "epoch"}, "9: .008182, 29: .002903"),
    "cosine": (
        99,
        {"name": "cosine", "final_factor": 0.01, "per": "epoch"},
        "10: .043888, 60: .01544, 99: .00045",
    ),
}

STAIRCASE = {"name": "inverse_time", "decay_rate": 0.5, "staircase": True}
UPSTRIDE["inverse_time_staircase"] = (99, STAIRCASE, "1: .03, 2: .0225, 9: .008182, 29: .002903")


@pytest.mark.parametrize("case", UPSTRIDE)
def test_upstride(case):
    epochs, schedule, expected = UPSTRIDE[case]
    for epoch, printed in table(expected):
        assert agrees(rate(schedule, 0.045, epochs, epoch), printed), (case, epoch)
