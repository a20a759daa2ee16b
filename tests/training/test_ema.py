"""The average of the weights: its numbers, what it takes part in, and that nothing of it is lost."""

import copy
import io
import signal
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from training.test_processes import NORM, SETTINGS
from training.test_train import BASE, same_weights, stop_after, weights
from vernier import api
from vernier.config.loading import load_config
from vernier.models.bundle import load_bundle
from vernier.models.freeze import freeze, unfreeze
from vernier.training.callbacks.ema import EMA
from vernier.training.resolve_callbacks import ema_decay

DIGITS = torch.linspace(-1, 1, 8 * 3 * 6 * 6).reshape(8, 3, 6, 6)


def small_net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 2))


def train_step(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    model(DIGITS.to(next(model.parameters()).dtype)).square().mean().backward()
    optimizer.step()


def attached(model: nn.Module, decay: float = 0.9, warmup: bool = False, later: bool = False) -> EMA:
    ema = EMA(decay, warmup)
    ema.attach(model, later)
    return ema


def test_it_is_torchs_average_with_batchnorms_statistics():
    model = small_net()
    ema = attached(model)
    other = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=True)
    # Its first update would copy the weights instead.
    other.n_averaged.fill_(1)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for _ in range(10):
        train_step(model, optimizer)
        ema.update()
        other.update_parameters(model)
    expected = {name: value for name, value in other.module.state_dict().items() if value.is_floating_point()}
    assert ema.averages.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(ema.averages[name], value, rtol=0, atol=0)


@given(
    st.lists(st.floats(-8, 8, width=32), min_size=2, max_size=40),
    st.floats(0.01, 0.9999),
    st.booleans(),
)
def test_it_is_the_formulas(values, decay, warmup):
    model = nn.Linear(1, 1, bias=False)
    average = values[0]
    with torch.no_grad():
        model.weight.fill_(values[0])
        ema = attached(model, decay, warmup)
        for step, value in enumerate(values[1:]):
            model.weight.fill_(value)
            ema.update()
            share = min(decay, (1 + step) / (10 + step)) if warmup else decay
            average = share * average + (1 - share) * np.float64(value)
    assert float(ema.averages["weight"]) == pytest.approx(average, rel=1e-5, abs=1e-5)


def test_weights_that_stand_still_are_their_own_average_to_the_bit():
    model = small_net()
    ema = attached(model, 0.937)
    for _ in range(100):
        ema.update()
    assert all(torch.equal(ema.averages[name], value) for name, value in model.named_parameters())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("memory_format", [torch.channels_last, torch.contiguous_format])
def test_the_averages_step_in_and_the_weights_come_back_to_the_bit(dtype, memory_format):
    model = small_net().to(dtype, memory_format=memory_format)
    ema = attached(model)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for _ in range(3):
        train_step(model, optimizer)
        ema.update()
    before = copy.deepcopy(model.state_dict())
    storages = [weight.data_ptr() for weight in model.parameters()]
    ema.use_averages()
    during = copy.deepcopy(model.state_dict())
    ema.use_weights()
    ema.use_weights()
    assert storages == [weight.data_ptr() for weight in model.parameters()]
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
        if value.is_floating_point():
            assert torch.equal(during[name], ema.averages[name].to(dtype))
            assert ema.averages[name].dtype == torch.float32
            assert ema.averages[name].stride() == value.stride()
    assert int(during["1.num_batches_tracked"]) == 3
    assert not torch.equal(during["4.weight"], before["4.weight"])


def test_averages_of_bf16_weights_move_by_less_than_bf16_can_tell():
    model = nn.Linear(1, 1, bias=False, dtype=torch.bfloat16)
    with torch.no_grad():
        model.weight.fill_(1)
        ema = attached(model, 0.999)
        model.weight.fill_(2)
    for _ in range(100):
        ema.update()
    assert float(ema.averages["weight"]) == pytest.approx(2 - 0.999**100, rel=1e-5)


def test_it_goes_on_from_a_checkpoint_to_the_same_bits():
    model = small_net()
    ema = attached(model, warmup=True)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for _ in range(3):
        train_step(model, optimizer)
        ema.update()
    file = io.BytesIO()
    torch.save(ema.state_dict(), file)
    file.seek(0)
    resumed = EMA(0.9, True)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    resumed.attach(model)
    for _ in range(3):
        train_step(model, optimizer)
        ema.update()
        resumed.update()
    assert all(torch.equal(resumed.averages[name], value) for name, value in ema.averages.items())


def test_frozen_layers_are_left_out_unless_they_train_later():
    model = small_net()
    freeze(model, ("2",))
    alone = attached(model)
    assert "4.weight" not in alone.averages
    ema = attached(model, later=True)
    frozen = model[4].weight.detach().clone()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    train_step(model, optimizer)
    ema.update()
    assert torch.equal(ema.averages["4.weight"], frozen)
    unfreeze(model, "all")
    train_step(model, optimizer)
    ema.update()
    torch.testing.assert_close(ema.averages["4.weight"], 0.9 * frozen + 0.1 * model[4].weight.detach())
    later = EMA(0.9, False)
    later.load_state_dict(alone.state_dict())
    later.attach(model, later=True)
    assert torch.equal(later.averages["4.weight"], model[4].weight)


def test_tied_weights_are_averaged_once():
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    model[1].weight = model[0].weight
    assert attached(model).averages.keys() == {"0.weight"}


@pytest.mark.parametrize(
    ("step_images", "epoch_images", "expected"),
    [(16, 1000, 0.995408), (16, 60000, 0.99975), (64, 64, 0.99), (32, 1150, 0.992027)],
)
def test_the_automatic_decay(step_images, epoch_images, expected):
    decay, reason = ema_decay(step_images, epoch_images)
    assert decay == pytest.approx(expected, abs=1e-6)
    assert f"{step_images} images a step / {epoch_images} an epoch" in reason


@pytest.fixture
def in_empty_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


in_training = pytest.mark.usefixtures("in_empty_directory")


def checkpoint(end) -> dict:
    config = load_config(end.run.config_file, ()).config
    saved = end.run.checkpoints(config.run).load_newest(print)
    assert saved is not None
    return saved


def assert_same(one, other) -> None:
    assert one.keys() == other.keys()
    assert all(torch.equal(value, other[name]) for name, value in one.items())


@in_training
@pytest.mark.parametrize(
    "settings",
    [
        (
            "evaluate.every=0.5ep",
            "train.accumulate=2",
            "train.gradient_clip_norm=0.1",
            "train.memory_format=contiguous",
        ),
        pytest.param(
            ("model.frozen=backbone", "train.cache_features=true", "train.feature_views=1"), marks=pytest.mark.slow
        ),
        pytest.param(("train.precision=bf16-true",), marks=pytest.mark.slow),
    ],
    ids=["accumulated and validated within epochs", "cached features", "bf16"],
)
def test_bundles_hold_the_averages_and_training_goes_on_as_without(settings):
    plain = api.train(BASE, *settings, "run.name=plain")
    end = api.train(BASE, *settings, "train.ema=0.9", "run.name=ema")
    saved = checkpoint(end)
    assert_same(saved["model"], checkpoint(plain)["model"])
    assert not same_weights(end, plain)
    final, averages = weights(end), saved["callbacks"]["EMA"]["averages"]
    for name, value in averages.items():
        assert value.dtype == torch.float32
        assert torch.equal(final[name], value.to(saved["model"][name].dtype).float())
    assert saved["callbacks"]["EMA"]["updates"] == end.result["steps"]
    measured = api.evaluate(end.run.path / "best", "data=digits", split="val").measures
    assert measured.values["loss"] == pytest.approx(end.result["best"]["val"]["loss"], rel=1e-2)


@in_training
@pytest.mark.parametrize(
    "stages",
    [
        pytest.param((), marks=pytest.mark.slow),
        ("model.frozen=backbone", "train.unfreeze=[{epoch: 2, layers: '(4:)'}, {epoch: 3}]"),
    ],
)
def test_an_interrupted_training_ends_with_the_same_averages(tmp_path, stages):
    settings = (*stages, "train.ema={decay: 0.99, warmup: true}", "train.epochs=4", "train.log_every=1st")
    whole = api.train(BASE, *settings, "run.root=whole")
    watcher = stop_after(tmp_path / "cut", 30, signal.SIGTERM)
    stopped = api.train(BASE, *settings, "run.root=cut")
    watcher.join()
    assert 30 <= stopped.result["steps"] < whole.result["steps"]
    resumed = api.train(BASE, *settings, "run.root=cut")
    assert resumed.run.path == stopped.run.path
    assert same_weights(resumed, whole)
    assert_same(
        load_bundle(resumed.run.path / "best")[0].state_dict(), load_bundle(whole.run.path / "best")[0].state_dict()
    )
    assert resumed.result["best"] == whole.result["best"]


@in_training
def test_more_epochs_go_on_from_weights_and_averages():
    settings = ("schedule=constant", "train.ema=0.9")
    api.train(BASE, *settings)
    longer = api.train(BASE, *settings, "train.epochs=3")
    assert same_weights(longer, api.train(BASE, *settings, "train.epochs=3", "run.name=whole"))


@pytest.mark.slow
@in_training
def test_two_processes_have_the_averages_of_one(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    settings = (*SETTINGS, NORM, "train.ema=0.9")
    one = api.train(None, *settings, "run.root=one")
    two = api.train(None, *settings, "run.root=two", "train.devices=2", "train.sync_batchnorm=true")
    left, right = (load_bundle(end.run.path / "final", trust=True)[0].state_dict() for end in (one, two))
    for name, value in left.items():
        torch.testing.assert_close(value, right[name], rtol=0, atol=1e-5)


@in_training
def test_the_automatic_decay_goes_by_the_real_number_of_images():
    end = api.train(BASE, "train.ema=auto", "train.epochs=1", "data.batch_size=16")
    images = sum(end.result["counts"]["train"].values())
    assert load_config(end.run.config_file, ()).config.train.ema.decay == pytest.approx(0.75 ** (16 / images))
    assert f"0.75^(16 images a step / {images} an epoch)" in end.run.config_file.read_text()
