"""When the learning rate falls, and that an interruption changes nothing about it."""

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given

from training import interrupting
from training.test_train import BASE
from vernier import api
from vernier.config.schedule import ReduceOnPlateauConfig
from vernier.errors import ConfigError
from vernier.track.csv_tracker import read_rows
from vernier.training.callbacks.plateau import ReduceOnPlateau


def made(**settings) -> ReduceOnPlateau:
    return ReduceOnPlateau(ReduceOnPlateauConfig(**{"monitor": "val_loss", "mode": "min", **settings}))


def falls_after(values, **settings) -> list[int]:
    """The validations after which the learning rate falls; interrupted after each one."""
    plateau, found = made(**settings), []
    for number, value in enumerate(values, 1):
        if plateau.is_time(value):
            found.append(number)
        resumed = made(**settings)
        resumed.load_state_dict(plateau.state_dict())
        plateau = resumed
    return found


def test_patience_is_the_number_of_validations_without_improvement():
    assert falls_after([0.5] * 8, patience=3) == [4, 7]
    assert falls_after([0.5, 0.6, 0.4, 0.6, 0.6, 0.3], patience=2) == [5]


def test_validations_of_the_cooldown_are_not_counted():
    assert falls_after([0.5] * 9, patience=2, cooldown=2) == [3, 7]


def test_small_steps_are_no_improvement():
    assert falls_after([0.5, 0.45, 0.4], patience=2, min_delta=0.2) == [3]
    assert falls_after([0.5, 0.55, 0.6], mode="max", patience=2, min_delta=0.2) == [3]


EIGHTHS = st.integers(-8, 8).map(lambda number: number / 8)


@given(
    values=st.lists(EIGHTHS | st.just(float("nan")), max_size=25),
    mode=st.sampled_from(["max", "min"]),
    patience=st.integers(1, 5),
    cooldown=st.integers(0, 4),
    min_delta=st.sampled_from([0.0, 0.125, 0.25]),
)
def test_it_falls_where_torchs_does_with_one_less_patience(values, mode, patience, cooldown, min_delta):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, mode, 0.5, patience - 1, min_delta, "abs", cooldown, eps=0.0
    )
    expected = []
    for number, value in enumerate(values, 1):
        before = optimizer.param_groups[0]["lr"]
        scheduler.step(value)
        if optimizer.param_groups[0]["lr"] < before:
            expected.append(number)
    settings = {"mode": mode, "patience": patience, "cooldown": cooldown, "min_delta": min_delta}
    assert falls_after(values, **settings) == expected


@pytest.fixture
def in_empty_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


STILL = (
    "schedule=reduce_on_plateau", "schedule.patience=1", "schedule.min_delta=100", "schedule.factor=0.5",
    "optimizer.lr=0.004", "train.limit_train=3st", "train.limit_val=1st", "train.speed=off",
)  # fmt: skip


def learning_rates(end) -> list[float]:
    return [float(row["lr"]) for row in read_rows(end.run.path / "metrics.csv")]


@pytest.mark.usefixtures("in_empty_directory")
def test_every_epoch_of_a_plateau_halves_the_learning_rate_down_to_the_least():
    end = api.train(BASE, *STILL, "train.epochs=5", "schedule.min_factor=0.2")
    assert learning_rates(end) == pytest.approx([0.004, 0.004, 0.002, 0.001, 0.0008])


@pytest.mark.usefixtures("in_empty_directory")
def test_validations_before_the_end_of_the_hold_are_not_counted():
    settings = ("train.epochs=4", "schedule.warmup=1ep", "schedule.hold=1ep")
    end = api.train(BASE, *STILL, *settings, "schedule.warmup_factor=0.5")
    assert learning_rates(end)[1:] == pytest.approx([0.004, 0.004, 0.002])


@pytest.mark.usefixtures("in_empty_directory")
def test_an_interruption_changes_nothing(monkeypatch):
    settings = (*STILL, "train.epochs=4", "train.checkpoint_every=2st")
    whole = api.train(BASE, *settings, "run.dir=whole")
    monkeypatch.setattr(interrupting, "stops_left", 1)
    stop = f"callbacks.custom=[{{name: '{interrupting.__name__}:Interruption', kwargs: {{step: 10}}}}]"
    assert api.train(BASE, *settings, "run.dir=parts", stop).exit_status == 143
    parts = api.train(BASE, *settings, "run.dir=parts", stop)
    assert learning_rates(parts) == learning_rates(whole)
    weights = [(end.run.path / "final" / "model.safetensors").read_bytes() for end in (whole, parts)]
    assert weights[0] == weights[1]


@pytest.mark.usefixtures("in_empty_directory")
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["data.split.val=0"], r"schedule: needs a validation set, but data\.split\.val is 0"),
        (["schedule.monitor=acuracy"], r"schedule\.monitor: 'acuracy' is not .* 'accuracy'"),
    ],
)
def test_what_is_never_measured_is_an_error_before_the_first_step(settings, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        api.train(BASE, *STILL, *settings)
    assert not (tmp_path / "runs").exists()
