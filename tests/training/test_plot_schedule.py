"""Schedules drawn ahead are the ones that training uses."""

import json

import numpy as np
import pytest
from PIL import Image

from vernier import api, cli
from vernier.errors import ConfigError
from vernier.track.csv_tracker import read_rows
from vernier.training.text_plot import text_plot

DIGITS = {"data": "digits", "data.batch_size": 64, "model": "digits_cnn", "train.threads": 1, "train.epochs": 2}
CYCLE = ("schedule=one_cycle", "schedule.momentum=[0.85,0.95]", "optimizer.lr=0.02")


@pytest.fixture(autouse=True)
def in_empty_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "more",
    [
        pytest.param((), marks=pytest.mark.slow),
        pytest.param(("train.accumulate=3",), marks=pytest.mark.slow),
        ("train.accumulate=3", "train.limit_train=50%", "train.max_steps=11"),
    ],
)
def test_it_is_what_a_training_does(more, tmp_path):
    schedule = ("schedule=cosine", "schedule.warmup=3st", "schedule.hold=10%", "train.log_every=1st", "train.speed=off")
    end = api.train(DIGITS, *schedule, *more)
    trained = [float(row["lr"]) for row in read_rows(end.run.path / "steps.csv")]
    assert api.plot_schedule(DIGITS, *schedule, *more).rates.tolist() == pytest.approx(trained)
    from_the_run = api.plot_schedule(end.run.path / "config.yaml")
    assert from_the_run.rates.tolist() == pytest.approx(trained)


WATCH = """
import json
from pathlib import Path

from vernier.training.callbacks.callback import Callback


class Watch(Callback):
    def __init__(self):
        self.momenta = []

    def step_end(self, training, batch, result):
        self.momenta.append([group["momentum"] for group in training.setup.optimizer.param_groups])

    def end(self, training):
        Path("momenta.json").write_text(json.dumps(self.momenta))
"""


def test_momentum_is_what_a_training_does(tmp_path):
    (tmp_path / "watching.py").write_text(WATCH)
    settings = (*CYCLE, "optimizer=sgd", "train.limit_train=4st", "train.speed=off")
    api.train(DIGITS, *settings, "callbacks.custom=watching:Watch")
    trained = json.loads((tmp_path / "momenta.json").read_text())
    momentum = api.plot_schedule(DIGITS, *settings).momentum
    assert trained == [[value] * len(trained[0]) for value in momentum.tolist()]


def test_the_command_writes_a_picture_and_rows(capsys, tmp_path):
    arguments = ["plot-schedule", *CYCLE, "train.epochs=3", "--steps-per-epoch", "7", "--csv", "rows.csv"]
    assert cli.main(arguments) == 0
    shown = capsys.readouterr().out
    assert "3 epoch(s) of 7 steps, 21 steps in all" in shown
    assert "momentum: first 0.95, lowest 0.85" in shown
    assert "█" in shown
    with Image.open("schedule.png") as picture:
        assert picture.format == "PNG"
    rows = read_rows(tmp_path / "rows.csv")
    assert list(rows[0]) == ["epoch", "step", "lr"]
    assert [(int(row["epoch"]), int(row["step"])) for row in rows] == [(step // 7 + 1, step + 1) for step in range(21)]
    rates = api.plot_schedule(None, *CYCLE, "train.epochs=3", steps_per_epoch=7).rates
    assert [float(row["lr"]) for row in rows] == rates.tolist()


def test_json_is_one_object(capsys):
    arguments = [
        "plot-schedule",
        "data.batch_size=10",
        "train.epochs=3",
        "--images",
        "95",
        "--output",
        "a.png",
        "--json",
    ]
    assert cli.main(arguments) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["schedule"], shown["steps"], shown["steps_per_epoch"], shown["picture"]) == (
        "cosine",
        30,
        10,
        "a.png",
    )
    assert shown["lr"]["first"] == shown["lr"]["highest"] == shown["lr_by_epoch"][0] == 1e-3
    assert len(shown["lr_by_epoch"]) == 3


def test_photos_are_listed_and_not_decoded(class_folders):
    for path in class_folders.rglob("*.jpg"):
        path.write_bytes(b"no image")
    curve = api.plot_schedule({"data": str(class_folders)}, "data.batch_size=2", "data.split.val=0")
    assert curve.steps_per_epoch == len(list(class_folders.rglob("*.jpg"))) // 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["schedule=reduce_on_plateau"], "schedule.name: reduce_on_plateau follows the validations"),
        (["optimizer.lr=auto"], "optimizer.lr: auto is measured"),
        (["schedule.warmup=20ep"], "schedule.warmup: must be shorter"),
        (["schedule.warmup=2000st"], "schedule.warmup: must be shorter"),
    ],
)
def test_what_can_not_be_drawn_ends_with_status_2(settings, message, capsys):
    assert cli.main(["plot-schedule", *settings, "--steps-per-epoch", "7"]) == 2
    assert message in capsys.readouterr().err


def test_without_data_and_without_steps_the_error_names_the_data():
    with pytest.raises(ConfigError, match=r"data\.source: missing"):
        api.plot_schedule(None)


def test_columns_show_the_highest_of_their_values():
    *bars, axis = text_plot(np.array([0.0, 1.0, 0.0, 0.0, 0.5, 0.5]), 26, "end")
    top, bottom = bars[0].partition("┤")[2], bars[-1].partition("┤")[2]
    assert len(bars) == 8
    assert len(top) == 23 == len(bottom)
    assert top.count("█") == 4
    assert set(bottom) == {" ", "█"}
    assert bottom[-1] == "█"
    assert axis.endswith("end")


def test_a_schedule_of_zeros_is_drawn():
    *bars, _ = text_plot(np.zeros(5), 30, "end")
    assert not set("".join(bars)) & set("▁▂▃▄▅▆▇█")
