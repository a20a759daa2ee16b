"""Layers that begin to train in a later epoch."""

import signal
from pathlib import Path

import pytest
import torch

from training.test_processes import PLAIN, SETTINGS
from training.test_processes import assert_close as assert_final_weights_close
from training.test_train import BASE, same_weights, stop_after, weights
from vernier import api
from vernier.errors import ConfigError, ModelError, RunError

STAGED = (
    "model.frozen=backbone",
    "train.epochs=4",
    "train.log_every=1st",
    "train.unfreeze=[{epoch: 2, layers: '(4:)', lr: 0.002}, {epoch: 3}]",
)


@pytest.fixture(autouse=True)
def in_empty_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def changed(one, other):
    """Names of the parameters that differ between the last weights of two trainings."""
    left, right = weights(one), weights(other)
    names = {name for name in left if not torch.equal(left[name], right[name])}
    return {name for name in names if name.endswith(("weight", "bias"))}, {name.partition(".")[0] for name in names}


def test_layers_train_from_their_epoch_on_at_their_rate():
    frozen = ("model.frozen=backbone", "schedule=constant", "optimizer.weight_decay=0")
    one = api.train(BASE, *frozen, "train.epochs=1", "run.root=one")
    stage = "train.unfreeze=[{epoch: 2, layers: '(4:8)', lr: RATE}]"
    two = api.train(BASE, *frozen, "train.epochs=2", "run.root=two", stage.replace("RATE", "1e-3"))
    parameters, layers = changed(one, two)
    assert layers == {"7", "8", "10", "11", "16"}
    assert "7.weight" in parameters
    still = api.train(BASE, *frozen, "train.epochs=2", "run.root=still", stage.replace("RATE", "0"))
    assert changed(one, still)[0] == {"16.weight", "16.bias"}


@pytest.mark.slow
def test_an_interrupted_training_ends_with_the_same_bits(tmp_path):
    whole = api.train(BASE, *STAGED, "run.root=whole")
    watcher = stop_after(tmp_path / "cut", 30, signal.SIGTERM)
    stopped = api.train(BASE, *STAGED, "run.root=cut")
    watcher.join()
    assert 30 <= stopped.result["steps"] < whole.result["steps"]
    resumed = api.train(BASE, *STAGED, "run.root=cut")
    assert resumed.run.path == stopped.run.path
    assert same_weights(resumed, whole)


def test_muon_lookahead_and_layer_decay_survive_an_interruption_too(tmp_path):
    """Each stage brings groups of both of Muon's optimizers, and weights that the slow ones begin with."""
    config = {
        **BASE,
        "optimizer": {
            "name": "muon",
            "lr": 0.01,
            "layer_decay": 0.8,
            "lookahead": {"sync_period": 4},
            "groups": [{"pattern": "4", "lr_factor": 0.5}],
        },
    }
    whole = api.train(config, *STAGED, "run.root=whole")
    watcher = stop_after(tmp_path / "cut", 30, signal.SIGTERM)
    stopped = api.train(config, *STAGED, "run.root=cut")
    watcher.join()
    assert 30 <= stopped.result["steps"] < whole.result["steps"]
    assert same_weights(api.train(config, *STAGED, "run.root=cut"), whole)


@pytest.mark.slow
def test_two_processes_equal_one(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    staged = ("train.epochs=2", "model.frozen=backbone", "train.unfreeze=[{epoch: 2}]")
    one = api.train(None, *SETTINGS, PLAIN, *staged, "run.root=one")
    two = api.train(None, *SETTINGS, PLAIN, *staged, "run.root=two", "train.devices=2")
    assert_final_weights_close(one.run.path, two.run.path)


def test_what_can_not_be_unfrozen_is_an_error_before_anything_is_trained(tmp_path):
    frozen = ("model.frozen=backbone", "train.epochs=3")
    with pytest.raises(ModelError, match=r"train\.unfreeze\.layers: 'stage9' matches no layer"):
        api.train(BASE, *frozen, "train.unfreeze=[{epoch: 2, layers: stage9}]")
    with pytest.raises(ModelError, match=r"none of these layers is frozen"):
        api.train(BASE, *frozen, "train.unfreeze=[{epoch: 2}, {epoch: 3}]")
    with pytest.raises(ConfigError, match=r"train\.unfreeze\[0\].*nothing is frozen"):
        api.train(BASE, "train.unfreeze=[{epoch: 2}]")
    with pytest.raises(ConfigError, match=r"train\.unfreeze\[0\]\.epoch: never comes: train\.epochs is 3; got 9"):
        api.train(BASE, *frozen, "train.unfreeze=[{epoch: 9}]")
    with pytest.raises(ConfigError, match=r"train\.unfreeze\[1\]\.epoch: must come after"):
        api.train(BASE, *frozen, "train.unfreeze=[{epoch: 3}, {epoch: 2}]")
    assert not (tmp_path / "runs").exists()


def test_stages_can_not_change_when_a_run_goes_on():
    end = api.train(BASE, "model.frozen=backbone", "train.unfreeze=[{epoch: 2}]")
    with pytest.raises(RunError, match=r"train\.unfreeze"):
        api.resume(end.run.path, "train.epochs=4", "train.unfreeze=[]")
