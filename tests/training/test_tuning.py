"""What is measured goes into the resolved config; what follows is as if nothing had been measured."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml

from vernier import api
from vernier.config.loading import load_config
from vernier.models.bundle import load_bundle
from vernier.training import autotune, tuning
from vernier.training.autotune import Trial
from vernier.training.find_batch_size import BatchSizeFinding
from vernier.training.speed import Speed

SETTINGS = ("data=digits", "model=digits_cnn", "optimizer=sgd", "optimizer.lr=0.02", "train.epochs=6", "run.new=true")
ONE = ("train.threads=1", "data.threads=1", "data.batch_size=32")


@pytest.fixture
def in_tmp(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VERNIER_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def half_wins(monkeypatch):
    """Timings that are the same every time; the steps of a trial are real."""
    real, tried = autotune.measure, []

    def measure(parts, speed, batch, slowest=float("inf")):
        tried.append(speed)
        trial = real(parts, speed, batch, slowest)
        return replace(trial, seconds=0.02 if speed.precision == "bf16-mixed" else 0.06)

    monkeypatch.setattr(autotune, "measure", measure)
    return tried


def weights(end):
    return load_bundle(end.run.path)[0].state_dict()


def same(one, other):
    return all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_a_tuned_training_is_the_one_that_its_resolved_config_gives(in_tmp, half_wins, caplog):
    tuned = api.train(None, *SETTINGS, *ONE, "train.speed=auto")
    text = (tuned.run.path / "config.yaml").read_text()
    resolved = yaml.safe_load(text)
    assert resolved["train"]["precision"] == "bf16-mixed"
    assert resolved["train"]["speed"] in (False, "off")
    assert "the fastest of" in text
    tried = len(half_wins)
    assert tried >= 2
    again = api.train(tuned.run.path / "config.yaml", "run.new=true", "run.name=again")
    assert len(half_wins) == tried, "a resolved config measures nothing"
    assert same(weights(tuned), weights(again))
    given = api.train(None, *SETTINGS, *ONE, "train.speed=off", "train.precision=bf16-mixed")
    assert same(weights(tuned), weights(given))


@pytest.mark.slow
def test_the_same_step_is_measured_once_on_a_machine(in_tmp, half_wins):
    api.train(None, *SETTINGS, *ONE, "train.speed=auto", "train.epochs=5")
    tried = len(half_wins)
    api.train(None, *SETTINGS, *ONE, "train.speed=auto", "train.epochs=6")
    assert len(half_wins) == tried
    api.train(None, *SETTINGS, *ONE, "train.speed=auto", "train.epochs=6", "data.batch_size=64", "train.epochs=10")
    assert len(half_wins) > tried


def test_a_damaged_cache_is_measured_again(in_tmp, half_wins, tmp_path):
    api.train(None, *SETTINGS, *ONE, "train.speed=auto")
    tried = len(half_wins)
    (file,) = (tmp_path / "cache" / "stores" / "speed").glob("*.json")
    assert json.loads(file.read_text())["settings"]["train.precision"] == "bf16-mixed"
    file.write_text("{")
    api.train(None, *SETTINGS, *ONE, "train.speed=auto")
    assert len(half_wins) > tried


def test_off_is_plain_fp32(in_tmp, half_wins):
    end = api.train(None, *SETTINGS, *ONE, "train.speed=off", "train.epochs=1")
    config = load_config(end.run.path / "config.yaml", ()).config
    assert half_wins == []
    assert Speed.of(config).is_exact
    assert not config.train.compile


def test_a_run_that_goes_on_keeps_its_settings(in_tmp, half_wins):
    end = api.train(None, *SETTINGS, *ONE, "train.speed=auto", "run.dir=run")
    tried = len(half_wins)
    api.resume(end.run.path, "train.epochs=7")
    config = load_config(Path("run/config.yaml"), ()).config
    assert (config.train.precision, config.train.epochs) == ("bf16-mixed", 7)
    assert len(half_wins) == tried


def test_batch_size_and_learning_rate_are_found(in_tmp, monkeypatch):
    found = BatchSizeFinding(64, "64 fits", ())
    monkeypatch.setattr(tuning, "find_batch_size", lambda config, dataset, say: found)
    settings = [word for word in SETTINGS if not word.startswith("optimizer.lr")]
    auto = ("data.batch_size=auto", "optimizer.lr=auto", "train.speed=off", "train.threads=1", "data.threads=1")
    end = api.train(None, *settings, *auto, "train.epochs=1")
    config = load_config(end.run.path / "config.yaml", ()).config
    assert (config.data.batch_size, config.data.eval_batch_size) == (64, 64)
    assert end.result["steps"] == 18, "1149 images of the training split in batches of 64"
    assert 0 < config.optimizer.lr < 10
    assert "64 fits" in (end.run.path / "config.yaml").read_text()


def test_a_trial_run_measures_nothing(in_tmp, half_wins):
    api.train(None, *SETTINGS, *ONE, "train.speed=auto", "train.fast_dev_run=true")
    assert half_wins == []


def test_trials_compare():
    trial = Trial(Speed("32-true", "channels_last", "keep", "highest", compile=False), 0.1, 3, (1.0,))
    assert trial.speed.is_exact
    assert not replace(trial.speed, matmul_precision="high").is_exact
