"""One training for each seed."""

import json
import statistics
from pathlib import Path

import pytest

from vernier import api
from vernier.cli import main
from vernier.errors import ConfigError
from vernier.models.bundle import read_info

BASE = {
    "data": {"source": "digits", "batch_size": 64, "threads": 1},
    "model": "digits_cnn",
    "optimizer": {"name": "adamw", "lr": 0.01},
    "train": {"epochs": 1, "threads": 1, "speed": "off"},
}


@pytest.fixture(autouse=True)
def in_empty_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_mean_and_deviation_of_runs_that_are_runs_of_their_own():
    end = api.train_seeds(BASE, "train.seeds=2", "seed=3")
    assert end.seeds == (3, 4)
    alone = api.train(BASE, "seed=4")
    assert alone.was_finished
    assert alone.run.path == end.ends[1].run.path
    accuracies = [one.result["test"]["accuracy"] for one in end.ends]
    assert accuracies[0] != accuracies[1]
    written = json.loads(end.file.read_text())
    assert written["test"]["accuracy"]["mean"] == pytest.approx(statistics.fmean(accuracies))
    assert written["test"]["accuracy"]["std"] == pytest.approx(statistics.stdev(accuracies))
    assert written["test"]["accuracy"]["n"] == 2
    again = api.train_seeds(BASE, "train.seeds=2", "seed=3")
    assert all(one.was_finished for one in again.ends)


def test_the_command_prints_a_table(capsys):
    status = main([
        "train", "data=digits", "model=digits_cnn", "train.epochs=1", "train.threads=1", "train.seeds=[0,5]",
        "run.dir=here", "train.speed=off", "data.batch_size=64",
    ])  # fmt: skip
    assert status == 0
    out = capsys.readouterr().out
    assert "2 runs, seeds 0, 5" in out
    assert "test accuracy" in out
    assert read_info(Path("here/seed_5/best")).provenance["seed"] == 5


@pytest.mark.parametrize(
    ("setting", "message"),
    [("train.seeds=[1,1]", "holds 1 twice"), ("run.export_dir=out", r"run\.export_dir: would be shared")],
)
def test_what_runs_can_not_share(setting, message):
    with pytest.raises(ConfigError, match=message):
        api.train_seeds(BASE, "train.seeds=2", setting)


def test_train_says_what_to_call_instead():
    with pytest.raises(ConfigError, match=r"api\.train_seeds"):
        api.train(BASE, "train.seeds=2")
