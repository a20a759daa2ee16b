"""Training on images that grow, and on mixed ones: what the network sees, and what an interruption changes."""

import dataclasses
import signal

import pytest
import torch
from opening import DIGITS, opened

from training import interrupting
from vernier import api
from vernier.augment.plan import GeometryStage
from vernier.config.augment import ColorJitter, Normalize, RandomCrop, RandomHorizontalFlip, Resize
from vernier.config.loading import load_config
from vernier.errors import ConfigError
from vernier.models.bundle import load_bundle
from vernier.training.features import settle_features
from vernier.training.log import LineDisplay
from vernier.training.parts import build_parts
from vernier.training.prepare import prepare
from vernier.training.progressive import for_measuring, resized_to
from vernier.training.runtime import make_fabric
from vernier.training.setup import Setup, build_setup

PROGRESSIVE = ("augment.progressive.sizes=[4,[5,6],8]", "train.epochs=6", "data.batch_size=256")
MIXED = ("augment.mix.mixup=0.4", "augment.mix.cutmix=1", "augment.mix.off_for_last=1ep")


def set_up(*settings: str) -> Setup:
    config, dataset = opened(*DIGITS, *settings)
    fabric = make_fabric(config.train)
    fabric.launch()
    return build_setup(build_parts(config, dataset, lambda text: None), fabric)


def test_images_grow_at_the_beginning_of_an_epoch():
    setup = set_up(*PROGRESSIVE)
    sizes = [tuple(setup.loader.batch(epoch, 0).images.shape[2:]) for epoch in range(7)]
    assert sizes == [(4, 4), (4, 4), (5, 6), (5, 6), (8, 8), (8, 8), (8, 8)]
    assert setup.config.augment.progressive.portions == (1, 1, 1)
    assert setup.parts.preprocessing.input_size == (8, 8)


def test_portions_are_shares_and_steps_may_end_the_training_early():
    portions = set_up(*PROGRESSIVE, "augment.progressive.portions=[1,1,4]")
    assert [portions.loader.batch(epoch, 0).images.shape[-1] for epoch in range(6)] == [4, 6, 8, 8, 8, 8]
    # 5 batches an epoch: 15 steps are 3 epochs.
    steps = set_up(*PROGRESSIVE, "train.max_steps=15")
    assert [steps.loader.batch(epoch, 0).images.shape[-1] for epoch in range(3)] == [4, 6, 8]


def test_the_last_size_sees_what_a_training_without_would():
    growing, plain = set_up(*PROGRESSIVE), set_up(*PROGRESSIVE[1:])
    assert torch.equal(growing.loader.batch(5, 2).images, plain.loader.batch(5, 2).images)


def test_views_repeat_within_a_size():
    setup = set_up(*PROGRESSIVE, "train.feature_views=1")
    first, again, larger = (setup.loader.feed.batch(setup.loader.positions[:8], epoch) for epoch in (0, 1, 2))
    assert torch.equal(first, again)
    assert larger.shape[2:] == (5, 6)


def test_the_list_is_resized_after_its_last_geometry():
    crop, flip, colour, normalize = RandomCrop(size=(8, 8)), RandomHorizontalFlip(), ColorJitter(), Normalize()
    small = Resize(size=(4, 4))
    assert resized_to((4, 4), (crop, colour, flip, normalize)) == (crop, colour, flip, small, normalize)
    assert resized_to((4, 4), (colour, normalize)) == (small, colour, normalize)


def test_smaller_images_are_still_one_warp():
    setup = set_up(*PROGRESSIVE)
    for plan in setup.parts.plans:
        assert sum(isinstance(stage, GeometryStage) for stage in plan.stages) == 1


def test_a_network_of_one_size_is_refused_before_a_directory_is_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = [*DIGITS, "model=plain_net:plain_net", "model.input_size=8", *PROGRESSIVE]
    with pytest.raises(ConfigError, match=r"augment.progressive.sizes: plain_net:plain_net does not take 4x4 pixels"):
        prepare(load_config(None, settings), LineDisplay())
    assert not list(tmp_path.iterdir())


def test_a_size_without_an_epoch_is_an_error():
    with pytest.raises(ConfigError, match=r"train.max_steps ends the training in epoch 2"):
        set_up(*PROGRESSIVE, "train.max_steps=10")


@pytest.mark.parametrize("settings", [("augment.mix.mixup=0.2",), PROGRESSIVE])
def test_features_are_not_cached(settings):
    config, dataset = opened(*DIGITS, "model.frozen=backbone", *settings)
    parts = build_parts(config, dataset, lambda text: None)
    asked = config.model_copy(update={"train": config.train.model_copy(update={"cache_features": "auto"})})
    cached, _, reason = settle_features(asked, parts.model, dataset)
    assert not cached
    assert "augment." in reason


def test_batches_are_measured_at_full_size_and_unmixed():
    setup = set_up(*PROGRESSIVE, *MIXED)
    assert setup.loader.batch(0, 0).mixed is not None
    parts = dataclasses.replace(setup.parts, config=for_measuring(setup.config))
    batch = build_setup(parts, setup.fabric).loader.batch(0, 0)
    assert batch.images.shape[2:] == (8, 8)
    assert batch.mixed is None


def test_a_step_trains_on_both_labels():
    setup = set_up(*MIXED, "data.batch_size=64", "train.epochs=2")
    mixed = [batch.mixed is not None for epoch in range(2) for batch in setup.loader.epoch(epoch)]
    count = setup.steps.batches_per_epoch
    assert mixed == [True] * count + [False] * count


def final_weights(end) -> dict[str, torch.Tensor]:
    return load_bundle(end.run.path / "final")[0].state_dict()


# 12 batches an epoch: in an epoch of mixed images, at the last step of the smallest ones, in the largest.
@pytest.mark.parametrize("step", [5, 12, 31])
def test_an_interruption_changes_no_bit(step, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = [*DIGITS, *MIXED, "augment.progressive.sizes=[4,6,8]", "train.epochs=3", "data.batch_size=100"]
    custom = f"callbacks.custom=[{{name: 'training.interrupting:Interruption', kwargs: {{step: {step}}}}}]"
    whole = api.train(None, *arguments, custom, "run.root=whole")
    monkeypatch.setattr(interrupting, "stops_left", 1)
    stopped = api.train(None, *arguments, custom, "run.root=parts")
    assert stopped.signal_number == signal.SIGTERM
    assert stopped.result["steps"] == step
    resumed = api.train(None, *arguments, custom, "run.root=parts")
    assert resumed.run.path == stopped.run.path
    left, right = final_weights(whole), final_weights(resumed)
    assert all(torch.equal(left[name], right[name]) for name in left)
