"""When a training stops early, and that an interruption changes nothing about it."""

import math

import hypothesis.strategies as st
import pytest
from hypothesis import given

from training.test_train import BASE
from vernier import api
from vernier.config.callbacks import EarlyStoppingConfig
from vernier.errors import ConfigError
from vernier.track.csv_tracker import read_rows
from vernier.training.callbacks.early_stopping import EarlyStopping

SAME = (0.5,) * 10


def made(**settings) -> EarlyStopping:
    return EarlyStopping(EarlyStoppingConfig(**{"monitor": "val_accuracy", "mode": "max", **settings}))


def stops_after(values, **settings) -> int | None:
    """The validation that ends a training, interrupted after each one."""
    stopping = made(**settings)
    for number, value in enumerate(values, 1):
        stopping.update(value)
        if stopping.reason() is not None:
            return number
        resumed = made(**settings)
        resumed.load_state_dict(stopping.state_dict())
        stopping = resumed
    return None


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        # tfaip's own cases, whose n_to_go is patience + 1.
        ({"patience": 3}, 4),
        ({"patience": 2, "check_every": 2}, 4),
        ({"patience": 3, "lower_threshold": 0.6}, None),
        ({"patience": 3, "lower_threshold": 0.5}, 4),
        ({"patience": 3, "upper_threshold": 0.5}, 1),
        ({"patience": 3, "upper_threshold": 0.6}, 4),
        ({"mode": "min", "patience": 3, "upper_threshold": 0.4}, None),
        ({"mode": "min", "patience": 3, "upper_threshold": 0.5}, 4),
        ({"mode": "min", "patience": 3, "lower_threshold": 0.5}, 1),
        ({"patience": 1}, 2),
        ({"upper_threshold": 0.6}, None),
    ],
)
def test_a_metric_that_stands_still(settings, expected):
    assert stops_after(SAME, **settings) == expected


def test_patience_counts_validations_in_a_row():
    assert stops_after((0.5, 0.4, 0.6, 0.6, 0.1), patience=2) == 5


def test_improvements_are_seen_between_checks():
    assert stops_after((0.1, 0.1, 0.2, 0.1, 0.1, 0.1), patience=2, check_every=2) == 6
    assert stops_after((0.1, 0.1, 0.1, 0.1), patience=2, check_every=2) == 4


def test_small_steps_are_no_improvement_but_reach_a_threshold():
    assert stops_after((0.50, 0.55, 0.60, 0.65), patience=2, min_delta=0.2) == 3
    assert stops_after((0.50, 0.55, 0.60, 0.65), patience=3, min_delta=0.2, upper_threshold=0.6) == 3


def test_nan_is_no_improvement():
    assert stops_after((math.nan, math.nan, 0.1), patience=2) == 2
    assert stops_after((0.1, math.nan, 0.2, math.nan, math.nan), patience=2) == 5


def simulated(values, *, mode, patience, check_every, min_delta, lower, upper) -> int | None:
    """The same from the whole history each time; values of mode min are turned round."""
    sign = 1 if mode == "max" else -1
    values = [sign * value for value in values]
    gate, enough = (lower, upper) if mode == "max" else (upper, lower)
    for end in range(1, len(values) + 1):
        if enough is not None and any(value >= sign * enough for value in values[:end]):
            return end
        last, reference = -1, -math.inf
        for index, value in enumerate(values[:end]):
            if value > (reference + min_delta if math.isfinite(reference) else -math.inf):
                last, reference = index, value
        counted = 0
        for index in range(last + 1, end):
            open_gate = gate is None or any(value >= sign * gate for value in values[: index + 1])
            counted += (index + 1) % check_every == 0 and open_gate
        if patience is not None and counted >= patience:
            return end
    return None


# Multiples of 1/8 are exact, so that sums and differences are too.
EIGHTHS = st.integers(-8, 8).map(lambda number: number / 8)


@given(
    values=st.lists(EIGHTHS | st.just(math.nan), max_size=25),
    mode=st.sampled_from(["max", "min"]),
    patience=st.none() | st.integers(1, 5),
    check_every=st.integers(1, 3),
    min_delta=st.sampled_from([0.0, 0.125, 0.25]),
    thresholds=st.tuples(st.none() | EIGHTHS, st.none() | EIGHTHS),
)
def test_any_course_stops_where_a_look_at_the_whole_history_says(
    values, mode, patience, check_every, min_delta, thresholds
):
    lower, upper = thresholds
    if lower is not None and upper is not None and lower > upper:
        lower, upper = upper, lower
    settings = {"mode": mode, "patience": patience, "check_every": check_every, "min_delta": min_delta}
    expected = simulated(values, **settings, lower=lower, upper=upper)
    assert stops_after(values, **settings, lower_threshold=lower, upper_threshold=upper) == expected


def test_the_reason_says_what_was_reached():
    stopping = made(upper_threshold=0.9)
    stopping.update(0.95)
    assert stopping.reason() == "val_accuracy is 0.95, which is at least 0.9"
    stopping = made(patience=1, check_every=2)
    for value in (0.5, 0.25):
        stopping.update(value)
    assert stopping.reason() == "val_accuracy has not improved on 0.5 for 1 validation (one in 2 counts)"


@pytest.fixture
def in_empty_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("in_empty_directory")
def test_a_stopped_training_stays_stopped_until_its_settings_change():
    settings = ("optimizer.lr=0", "train.epochs=6")
    stopped = api.train(BASE, *settings, "callbacks.early_stopping.patience=2")
    assert (stopped.result["epochs"], "has not improved" in stopped.result["stopped_early"]) == (3, True)
    assert api.resume(stopped.run.path).was_finished
    longer = api.resume(stopped.run.path, "callbacks.early_stopping.patience=3")
    assert (longer.result["epochs"], len(read_rows(longer.run.path / "metrics.csv"))) == (4, 4)
    whole = api.resume(stopped.run.path, "callbacks.early_stopping=null")
    assert (whole.result["epochs"], whole.result["stopped_early"]) == (6, None)


@pytest.mark.usefixtures("in_empty_directory")
def test_good_enough_is_the_end():
    end = api.train(BASE, "train.epochs=9", "callbacks.early_stopping={monitor: loss, lower_threshold: 0.5}")
    losses = [float(row["val_loss"]) for row in read_rows(end.run.path / "metrics.csv")]
    assert losses[-1] <= 0.5 < min((*losses[:-1], 1.0))
    assert end.result["stopped_early"].startswith("val_loss is ")


@pytest.mark.usefixtures("in_empty_directory")
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("{patience: 3, monitor: val_acuracy}", r"early_stopping\.monitor: 'val_acuracy' is not .* 'accuracy'"),
        ("{monitor: accuracy}", r"early_stopping: never stops: set its patience, or upper_threshold"),
        ("{lower_threshold: 0.5}", r"early_stopping\.patience: never stops: in mode max lower_threshold says"),
        ("{patience: 3, lower_threshold: 0.9, upper_threshold: 0.5}", r"lower_threshold: must not be above"),
    ],
)
def test_what_never_stops_or_is_never_measured_is_an_error_before_the_first_step(settings, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        api.train(BASE, f"callbacks.early_stopping={settings}")
    assert not (tmp_path / "runs").exists()
