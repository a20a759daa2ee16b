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


def agrees(value, printed, slack=0.0):
    """To half a unit of the last digit; numbers of at most three digits are exact ones."""
    number = Decimal(printed)
    digits = len(number.as_tuple().digits)
    half = 0.5 * 10.0 ** number.as_tuple().exponent if digits > 3 else 1e-9 * float(number)
    return abs(value - float(number)) <= half * (1 + 1e-9) + slack


def table(text):
    """`0: 1e-3, 20 23: 9.9e-4` as pairs of an epoch and what is printed for it."""
    rows = (row.split(":") for row in text.split(","))
    return [(int(epoch), value.strip()) for epochs, value in rows for epoch in epochs.split()]


def check(schedule, lr, epochs, expected, slack=0.0):
    rates = {epoch: (rate(schedule, lr, epochs, epoch), printed) for epoch, printed in table(expected)}
    assert {epoch: pair for epoch, pair in rates.items() if not agrees(*pair, slack)} == {}


UPSTRIDE_END = 1e-7 / 0.045
UPSTRIDE = [
    (
        {"name": "exponential", "decay_rate": 0.9, "per": "epoch", "min_factor": UPSTRIDE_END},
        "0: .045, 1: .0405, 3: .032805, 10: .015691",
    ),
    (
        {"name": "step", "decay_rate": 0.5, "every": "10ep", "min_factor": UPSTRIDE_END},
        "9: .045, 10 19: .0225, 20: .01125",
    ),
    (
        {"name": "polynomial", "power": 5, "per": "epoch", "final_factor": UPSTRIDE_END},
        "5: .034728, 50: .0013367",
    ),
    ({"name": "inverse_time", "decay_rate": 0.5, "per": "epoch"}, "9: .008182, 29: .002903"),
    (
        {"name": "inverse_time", "decay_rate": 1, "every": "2ep", "staircase": True},
        "1: .045, 2: .0225, 9: .009, 29: .003",
    ),
    ({"name": "cosine", "final_factor": 0.01, "per": "epoch"}, "10: .043888, 60: .01544, 99: .00045"),
]  # fmt: skip


@pytest.mark.parametrize(("schedule", "expected"), UPSTRIDE, ids=lambda part: str(part)[:30])
def test_upstride(schedule, expected):
    check(schedule, 0.045, 99, expected)


def test_upstrides_step_schedule_keeps_the_old_rate_in_the_epoch_that_it_names():
    milestones = [f"{epoch + 1}ep" for epoch in (10, 20, 40, 50, 90)]
    schedule = {"name": "multi_step", "milestones": milestones, "decay_rate": 0.5, "min_factor": UPSTRIDE_END}
    # There it is rounded to five decimals.
    rounded = {epoch: round(rate(schedule, 0.045, 99, epoch), 5) for epoch in (0, 10, 11, 21, 41, 51, 91)}
    assert rounded == {0: 0.045, 10: 0.045, 11: 0.0225, 21: 0.01125, 41: 0.00562, 51: 0.00281, 91: 0.00141}


def test_upstrides_one_cycle():
    schedule = {"name": "one_cycle", "rise": "61/201", "momentum": [0.85, 0.95]}
    config, _ = settings(schedule, 0.1, 3)
    factor = make_schedule(config.schedule, total_steps=201, steps_per_epoch=67)
    expected = {0: ".004", 1: ".004066", 30: ".052", 59: ".099934", 61: ".0999874", 130: ".0500002", 200: "4e-7"}
    assert {
        step: 0.1 * factor(step) for step, printed in expected.items() if not agrees(0.1 * factor(step), printed)
    } == {}
    momentum = make_momentum(config.schedule, total_steps=201, steps_per_epoch=67)
    assert [momentum(step) for step in (0, 60, 200)] == pytest.approx([0.95, 0.85, 0.95])


def test_upstrides_flat_and_anneal():
    config, _ = settings({"name": "flat_and_anneal", "hold": "30%", "final_factor": 1e-6}, 0.1, 2)
    factor = make_schedule(config.schedule, total_steps=200, steps_per_epoch=100)
    expected = [1, 1, (1 - 1e-6) / 2 + 1e-6, 1e-6]
    assert [factor(step) for step in (0, 60, 130, 200)] == pytest.approx(expected)


CIRCLE = {"decay_rate": 0.99, "every": "3ep", "per": "epoch", "staircase": True}
COSINE = {"name": "exponential_cosine", "cosine": "50ep", "final_factor": 0.1, **CIRCLE}
WARMUP = {"warmup": "10ep", "warmup_factor": 0.1}
TFAIP = [
    ({"name": "exponential", **CIRCLE}, "0: 1e-3, 3: 9.9e-4, 6: 9.801e-4, 30: 9.04382e-4, 99: 7.17731e-4"),
    (
        COSINE,
        "0: 1e-3, 30: 9.04382e-4, 50: 8.51458e-4, 51: 8.42195e-4, 75: 4.27802e-4, 99: 7.24104e-5",
    ),
    (
        {**COSINE, **WARMUP},
        "0: 1e-4, 1: 1.9e-4, 5: 5.5e-4, 9: 9.1e-4, 10: 1e-3, 13: 9.9e-4, 50: 8.77521e-4, 75: 4.45351e-4, "
        "99: 7.53807e-5",
    ),
    (
        {**COSINE, **WARMUP, "hold": "10ep"},
        "20: 1e-3, 23: 9.9e-4, 50: 9.04382e-4, 75: 4.58983e-4, 99: 7.76881e-5",
    ),
]


@pytest.mark.parametrize(("schedule", "expected"), TFAIP, ids=["exponential", "cosine", "warm-up", "constant"])
def test_tfaip(schedule, expected):
    # Its pi is 3.14159, which shows in the sixth digit of one value.
    check(schedule, 1e-3, 100, expected, slack=1e-3 * 0.45 * (math.pi - 3.14159) / 2)


def test_tfaips_noam():
    config, _ = settings({"name": "noam", "warmup": "100st"}, 1e-3, 100)
    factor = make_schedule(config.schedule, total_steps=500, steps_per_epoch=5)
    for step, printed in ((1, "1e-5"), (50, "5e-4"), (100, "1e-3"), (400, "5e-4")):
        assert agrees(1e-3 * factor(step - 1), printed)


def test_tfaips_trap_is_an_error():
    """A cosine of 50 epochs in a training of 10 begins there at 19 % of the learning rate."""
    with pytest.raises(
        ConfigError, match=r"schedule\.cosine: is longer than the training \(train\.epochs=10\); got 50ep"
    ):
        settings(COSINE, 1e-3, 10)


STM32 = {
    "linear": (
        {"name": "linear", "hold": "19ep", "length": "150ep", "final_factor": 1e-4},
        200,
        "18 19: 1e-3, 20: 9.93334e-4, 100: 4.60054e-4, 169 199: 1e-7",
    ),
    "exponential": (
        {"name": "exponential", "hold": "19ep", "decay_rate": math.exp(-0.02)},
        200,
        "20: 9.80199e-4, 100: 1.97899e-4",
    ),
    "step": (
        {"name": "multi_step", "milestones": [f"{30 * n - 1}ep" for n in range(1, 7)], "decay_rate": 0.4},
        200,
        "28: 1e-3, 29: 4e-4, 59: 1.6e-4, 199: 4.096e-6",
    ),
    "cosine": (
        {"name": "cosine", "hold": "19ep", "length": "180ep", "final_factor": 1e-4},
        200,
        "19: 1e-3, 20: 9.99924e-4, 109: 5.0005e-4, 199: 1e-7",
    ),
    "warm-up": (
        {
            "name": "cosine", "warmup": "30ep", "warmup_factor": 1e-3, "hold": "50ep", "length": "320ep",
            "final_factor": 1e-3,
        },
        400,
        "0: 1e-6, 1: 3.43e-5, 28: 9.334e-4, 30 31 79 80: 1e-3, 240: 5.005e-4, 399: 1.02407e-6",
    ),
    "cosine restarts": (
        {"name": "cosine_restarts", "period": "50ep", "t_mul": 2, "m_mul": 0.8, "final_factor": 1e-3},
        350,
        "25: 5.005e-4, 50: 8.002e-4, 100: 4.006e-4, 150: 6.4036e-4",
    ),
    "polynomial": (
        {"name": "polynomial", "hold": "29ep", "length": "270ep", "power": 0.5, "final_factor": 1e-4},
        300,
        "30: 9.98147e-4, 100: 8.58523e-4, 299: 1e-7",
    ),
    "polynomial restarts": (
        {"name": "polynomial_restarts", "hold": "29ep", "period": "120ep", "power": 0.5, "final_factor": 1e-4},
        400,
        "149: 1e-7, 150: 7.04184e-4, 269: 1e-7, 270: 5.74982e-4",
    ),
    "piecewise constant": (
        {"name": "piecewise_constant", "boundaries": ["30ep", "70ep", "150ep"], "factors": [1, 0.5, 0.1, 0.01]},
        200,
        "29: .01, 30 69: .005, 70 149: .001, 150: .0001",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", STM32)
def test_stm32(case):
    schedule, epochs, expected = STM32[case]
    per = {} if case in ("step", "piecewise constant") else {"per": "epoch"}
    check({**schedule, **per}, 0.01 if case == "piecewise constant" else 1e-3, epochs, expected)


def test_stm32s_warmup_skips_its_last_epoch_and_ours_does_not():
    schedule, epochs, _ = STM32["warm-up"]
    assert agrees(rate({**schedule, "per": "epoch"}, 1e-3, epochs, 29), "9.667e-4")


def test_the_documented_function_has_stm32s_values(tmp_path, monkeypatch):
    blocks = re.findall(r"^```python\n# (\S+)\n(.*?)^```", DOCS.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    for name, text in blocks:
        Path(name).write_text(text)
    kwargs = {"epochs": 400, "warmup": 30, "hold": 50, "decay": 320, "start": 1e-3, "end": 1e-3}
    schedule = {"name": "st_warmup:warmup_cosine", "per": "epoch", "kwargs": kwargs}
    check(schedule, 1e-3, 400, "0: 1e-6, 1: 3.43e-5, 28: 9.334e-4, 29 30 50 80: 1e-3, 240: 5.005e-4, 399: 1.02407e-6")


@pytest.mark.parametrize("growth", [2, 3, 7])
def test_restarts_are_where_whole_numbers_have_them(growth):
    """Logarithms misplace some: for periods of 10 epochs, each three times as long, the one at epoch 1210."""
    starts = [10 * (growth**count - 1) // (growth - 1) for count in range(1, 5)]
    schedule = {"name": "cosine_restarts", "period": "10ep", "t_mul": growth, "per": "epoch"}
    epochs = starts[-1] + 1
    config, length = settings(schedule, 1.0, epochs)
    factor = make_schedule(config.schedule, **length)
    for start in starts:
        assert factor(start * STEPS_PER_EPOCH) == 1.0
        assert factor(start * STEPS_PER_EPOCH - 1) < 0.03


def test_basegun_starts_at_2e_4_and_ends_at_2e_8():
    config, length = settings({"name": "one_cycle", "momentum": [0.85, 0.95]}, 0.005, 30)
    rates = [0.005 * make_schedule(config.schedule, **length)(step) for step in range(210)]
    assert (rates[0], max(rates), rates[-1]) == pytest.approx((2e-4, 0.005, 2e-8))
    assert rates.index(max(rates)) == 62
    momenta = [make_momentum(config.schedule, **length)(step) for step in (0, 62, 209)]
    assert momenta == pytest.approx([0.95, 0.85, 0.95])
