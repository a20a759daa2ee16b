"""Less than all images: which ones, and that training and validation see them."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vernier import api
from vernier.config.duration import Duration
from vernier.config.train import TrainConfig
from vernier.data.order import BatchOrder
from vernier.data.sampling import ClassSampler
from vernier.data.splits import Split
from vernier.training.limits import (
    described_limits,
    limited_order,
    limited_positions,
    overfit_positions,
    validation_positions,
)

ORDER = BatchOrder(count=1000, batch_size=30, seed=3)
SPLIT = Split(np.arange(5000, 6000), np.arange(200, 300), np.arange(10))


def limits_of(**fields) -> TrainConfig:
    return TrainConfig.model_validate(fields)


@pytest.mark.parametrize(
    ("fields", "batches"),
    [
        ({}, 34), ({"limit_train": "5st"}, 5), ({"limit_train": "10%"}, 4), ({"limit_train": "0.1%"}, 1),
        ({"limit_train": "100%"}, 34), ({"limit_train": "99st"}, 34), ({"overfit_batches": 2}, 2),
        ({"fast_dev_run": True}, 1), ({"fast_dev_run": True, "limit_train": "5st"}, 1), ({"overfit_batches": 99}, 34),
    ],
)  # fmt: skip
def test_an_epoch_has_at_most_so_many_batches(fields, batches):
    assert limited_order(ORDER, limits_of(**fields)).batches_per_epoch == batches


def test_limited_epochs_begin_as_whole_ones_and_have_other_images_each():
    limited = limited_order(ORDER, limits_of(limit_train="2st"))
    for epoch in (0, 1):
        assert np.array_equal(limited.batch(epoch, 1), ORDER.batch(epoch, 1))
    assert not np.array_equal(limited.batch(0, 0), limited.batch(1, 0))


def test_overfitted_batches_are_the_first_ones_in_every_epoch():
    order = limited_order(ORDER, limits_of(overfit_batches=3))
    for epoch in (0, 1, 7):
        assert all(np.array_equal(order.batch(epoch, number), ORDER.batch(0, number)) for number in range(3))
    trained = np.concatenate([ORDER.batch(0, number) for number in range(3)])
    assert overfit_positions(SPLIT.train, order).tolist() == sorted(5000 + trained)


def test_drawn_by_class_overfitted_batches_stay_the_same_too():
    labels = np.arange(1000) % 7 // 5
    drawn = replace(ORDER, sampler=ClassSampler("balanced", labels, seed=3))
    order = limited_order(drawn, limits_of(overfit_batches=2))
    for number in range(2):
        assert np.array_equal(order.batch(4, number), drawn.batch(0, number))
        assert np.array_equal(order.repeats(4, number), drawn.repeats(0, number))


@given(st.integers(1, 300), st.integers(1, 40), st.integers(1, 20), st.floats(0.01, 100))
def test_limited_positions_are_spread_evenly(count, batch_size, batches, percent):
    positions = np.arange(count) * 3
    by_batches = limited_positions(positions, Duration(batches, "st"), batch_size)
    assert len(by_batches) == min(count, batches * batch_size)
    by_share = limited_positions(positions, Duration(percent, "%"), batch_size)
    assert count * percent / 100 - 1e-6 <= len(by_share) < count * percent / 100 + 1
    for limited in (by_batches, by_share):
        gaps = np.diff([*limited, 3 * count])
        assert limited[0] == 0
        assert gaps.max() - gaps.min() <= 3


def test_no_samples_stay_none():
    assert len(limited_positions(np.arange(0), Duration(10, "%"), 5)) == 0


@pytest.mark.parametrize(
    ("fields", "count"), [({}, 100), ({"limit_val": "3st"}, 30), ({"limit_val": "7%"}, 7), ({"fast_dev_run": True}, 10)]
)
def test_validation_sees_so_many(fields, count):
    train = limits_of(**fields)
    positions = validation_positions(SPLIT, limited_order(ORDER, train), train, batch_size=10)
    assert len(positions) == count
    assert set(positions) <= set(SPLIT.val)


def test_what_is_left_out_is_said():
    train = limits_of(limit_train="10%", limit_val="7%")
    assert described_limits(SPLIT, limited_order(ORDER, train), train, 10) == (
        "train.limit_train: 4 of the 34 batches of an epoch",
        "train.limit_val: validation on 7 of 100 images",
    )
    train = limits_of(fast_dev_run=True)
    assert described_limits(SPLIT, limited_order(ORDER, train), train, 10) == (
        "train.fast_dev_run: 1 of the 34 batches of an epoch",
        "train.fast_dev_run: validation on 10 of 100 images",
    )
    assert described_limits(SPLIT, ORDER, limits_of(), 10) == ()


DIGITS = (
    *("data=digits", "data.batch_size=20", "model=digits_cnn"),
    *("train.threads=1", "data.threads=1", "train.speed=off"),
)


def test_limits_reach_training_and_validation(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    limits = ("train.epochs=2", "train.limit_train=3st", "train.limit_val=10%")
    result = api.train(None, *DIGITS, *limits, "optimizer.lr=1e-3", "run.dir=run").result
    assert result["steps"] == 6
    validation = result["counts"]["val"]
    whole = sum(validation.values()) if isinstance(validation, dict) else int(np.sum(validation))
    assert result["best"]["val"]["n"] == -(-whole // 10)
    assert len(rows(Path("run") / "predictions_val.csv")) == -(-whole // 10)


def test_a_few_batches_are_learnt_by_heart(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = ("train.epochs=25", "train.overfit_batches=2", "optimizer.lr=5e-3", "schedule=constant", "run.dir=run")
    end = api.train(None, *DIGITS, *settings)
    assert end.result["steps"] == 50
    assert end.result["best"]["val"]["n"] == 40
    assert end.result["best"]["val"]["accuracy"] == 1.0
    assert end.result["final"]["val"]["loss"] < 0.05
    log = (Path("run") / "train.log").read_text()
    assert "training on 2 batch(es), 40 images, as evaluation sees them" in log
    # What was trained on is what was measured: every path of the predictions is of the training split.
    splits = {row["path"]: row["split"] for row in rows(Path("run") / "split.csv")}
    assert {splits[row["path"]] for row in rows(Path("run") / "predictions_val.csv")} == {"train"}


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as text:
        return list(csv.DictReader(text))
