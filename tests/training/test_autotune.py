"""What autotune chooses, what it refuses, and that a training is the same after it as without it."""

from dataclasses import replace

import pytest
import torch

from training.opening import DIGITS, opened
from vernier.config.train import TrainConfig
from vernier.training import autotune as module
from vernier.training.autotune import Trial, autotune, measure
from vernier.training.parts import build_parts
from vernier.training.speed import Speed
from vernier.training.tuning import _first_batch

PLAIN = Speed("32-true", "channels_last", "keep", "highest", compile=False)
HALF = replace(PLAIN, precision="bf16-mixed")
FREE = TrainConfig(speed="auto", compile=False, allocator="keep")


@pytest.fixture
def parts():
    return build_parts(*opened(*DIGITS, "optimizer=sgd"), lambda text: None)


@pytest.fixture
def batch(parts):
    return _first_batch(parts)


def pretend(monkeypatch, *, seconds=None, losses=None, problems=None):
    """Let trials end as said; whatever is not said takes 0.1 s and has a loss of 2.3."""
    tried = []

    def trial(parts, speed, batch, slowest=float("inf")):
        tried.append(speed)
        key = (speed.precision, speed.memory_format)
        if problems and key in problems:
            return Trial(speed, None, 0, (), problems[key])
        return Trial(speed, (seconds or {}).get(key, 0.1), 3, (losses or {}).get(key, (2.3, 2.2)))

    monkeypatch.setattr(module, "measure", trial)
    monkeypatch.setattr(module, "_slow_layers", lambda parts, batch: ())
    return tried


def test_the_fastest_settings_are_taken(parts, batch, monkeypatch):
    pretend(monkeypatch, seconds={("bf16-mixed", "channels_last"): 0.05, ("bf16-mixed", "contiguous"): 0.2})
    found = autotune(FREE, parts, batch, 10_000)
    assert found.speed == replace(HALF)
    assert "2.00 times" in found.reason
    assert [line.split()[0] for line in found.table(32)].count("*") == 1


def test_what_is_exact_gives_way_to_a_clear_gain_only(parts, batch, monkeypatch):
    pretend(monkeypatch, seconds={("bf16-mixed", "channels_last"): 0.098})
    assert autotune(FREE, parts, batch, 10_000).speed == PLAIN


@pytest.mark.parametrize("losses", [(2.4, 2.2), (2.3, float("nan")), (float("inf"), 1.0)])
def test_a_loss_that_is_off_puts_settings_out(parts, batch, losses, monkeypatch):
    pretend(
        monkeypatch, seconds={("bf16-mixed", "channels_last"): 0.01}, losses={("bf16-mixed", "channels_last"): losses}
    )
    found = autotune(FREE, parts, batch, 10_000)
    assert found.speed == PLAIN
    assert "out: " in next(trial.problem for trial in found.trials if trial.speed == HALF)


def test_settings_that_fail_are_out(parts, batch, monkeypatch):
    pretend(monkeypatch, problems={("bf16-mixed", "channels_last"): "out: no such kernel"})
    found = autotune(FREE, parts, batch, 10_000)
    assert found.speed == PLAIN
    assert any("no such kernel" in line for line in found.table(32))


def test_what_the_user_sets_is_not_tried(parts, batch, monkeypatch):
    tried = pretend(monkeypatch)
    autotune(FREE.model_copy(update={"precision": "32-true"}), parts, batch, 10_000)
    assert {speed.precision for speed in tried} == {"32-true"}
    assert {speed.memory_format for speed in tried} == {"channels_last", "contiguous"}


def test_too_short_a_training_is_not_measured(parts, batch, monkeypatch):
    tried = pretend(monkeypatch)
    found = autotune(FREE, parts, batch, 100)
    assert tried == []
    assert found.speed == Speed.of(parts.config)
    assert "too few" in found.reason


def test_time_bounds_what_is_tried(parts, batch, monkeypatch):
    tried = pretend(monkeypatch, seconds={("32-true", "channels_last"): 20.0})
    found = autotune(FREE, parts, batch, 10_000)
    assert tried == [PLAIN], "60 s are three steps of the first settings, and a trial takes four"
    assert all("not tried" in trial.problem for trial in found.trials[1:])


def test_a_compiler_that_fails_puts_compilation_out(parts, batch, monkeypatch):
    def broken(*args, **kwargs):
        raise RuntimeError("no C++ compiler\nmore")

    monkeypatch.setattr(torch, "compile", broken)
    trial = measure(parts, replace(PLAIN, compile=True), batch)
    assert (trial.seconds, trial.problem) == (None, "out: no C++ compiler")


@pytest.mark.parametrize("speed", [PLAIN, HALF, replace(PLAIN, memory_format="contiguous")], ids=str)
def test_measuring_moves_nothing(parts, batch, speed):
    before = {name: tensor.clone() for name, tensor in parts.model.state_dict().items()}
    generator = torch.get_rng_state()
    trial = measure(parts, speed, batch)
    assert trial.n >= 3
    assert all(torch.equal(tensor, before[name]) for name, tensor in parts.model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), generator)
    assert all(parameter.grad is None for parameter in parts.model.parameters())
    assert not torch.are_deterministic_algorithms_enabled()
    assert trial.losses[0] != trial.losses[1], "steps really train"


def test_far_slower_settings_are_given_up_early(parts, batch):
    assert measure(parts, PLAIN, batch, slowest=1e-9).n == 1


def test_half_precision_that_the_user_asks_for_leaves_slow_layers_out_too(monkeypatch):
    parts = build_parts(*opened(*DIGITS, "optimizer=sgd", "train.precision=bf16-mixed"), lambda text: None)
    tried = pretend(monkeypatch)
    monkeypatch.setattr(module, "_slow_layers", lambda parts, batch: ("slow",))
    asked = FREE.model_copy(update={"precision": "bf16-mixed", "memory_format": "channels_last"})
    autotune(asked, parts, _first_batch(parts), 10_000)
    assert [speed.fp32_layers for speed in tried] == [(), ("slow",)]


def test_plain_settings_that_fail_leave_everything_as_it_is(parts, batch, monkeypatch):
    pretend(monkeypatch, problems={("32-true", "channels_last"): "out: no memory"})
    found = autotune(FREE, parts, batch, 10_000)
    assert (found.speed, found.trials) == (Speed.of(parts.config), ())
    assert "no memory" in found.reason
