"""Training on cached features: whether, how many views, and that it equals the training that it stands for."""

import numpy as np
import pytest
import torch

from vernier import api
from vernier.config.loading import config_from_mapping
from vernier.config.root import Config
from vernier.data.feed_base import Feed
from vernier.data.views_feed import ViewsFeed
from vernier.errors import ConfigError, TrainingError
from vernier.evaluation.inference import predict_logits
from vernier.models.bundle import load_bundle
from vernier.models.freeze import set_training_mode
from vernier.training.features import is_random, settle_features
from vernier.training.loop import make_step
from vernier.training.parts import Parts, build_parts, open_dataset
from vernier.training.resolve import resolve
from vernier.training.runtime import make_fabric
from vernier.training.setup import Setup, build_setup
from vernier.training.validate import split_logits

DIGITS = {
    "data": {"source": "digits", "batch_size": 64, "threads": 1},
    "model": {"name": "digits_cnn", "frozen": "backbone", "dropout": 0.2},
    "optimizer": {"name": "adamw", "lr": 0.01},
    "train": {"epochs": 3, "threads": 1, "speed": "off"},
}
CACHED = ("train.cache_features=true", "train.feature_views=2")


@pytest.fixture(autouse=True)
def in_empty_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def parts_of(values: dict, **train) -> Parts:
    """The parts of a resolved config, with `train` fields as given here."""
    values = values | {"train": values["train"] | train}
    asked = config_from_mapping(values).config
    dataset = open_dataset(asked, None)
    return build_parts(resolve(asked, dataset.source, dataset.train_store, "test").config, dataset, print)


def asking(parts: Parts, **train) -> Config:
    config = parts.config
    fields = {"cache_features": "auto", "feature_views": "auto"} | train
    return config.model_copy(update={"train": config.train.model_copy(update=fields)})


def settled_for(parts: Parts, **train) -> tuple[bool, int, str]:
    return settle_features(asking(parts, **train), parts.model, parts.dataset)


def joined(parts: Parts) -> Setup:
    fabric = make_fabric(parts.config.train)
    fabric.launch()
    return build_setup(parts, fabric)


def weights(end) -> dict[str, torch.Tensor]:
    return load_bundle(end.run.path / "final")[0].state_dict()


def test_one_view_for_every_twenty_epochs_when_a_backbone_is_frozen():
    parts = parts_of(DIGITS)
    assert settled_for(parts)[:2] == (True, 1)
    assert settled_for(parts, epochs=19)[:2] == (True, 1)
    cached, views, reason = settled_for(parts, epochs=65)
    assert (cached, views) == (True, 3)
    assert "augmentation of the first 3 epochs is repeated" in reason
    assert settled_for(parts, feature_views=7)[:2] == (True, 7)


def test_without_chance_in_the_augmentation_one_view_is_all_there_is():
    parts = parts_of(DIGITS | {"augment": {"train": ["Resize", "Normalize"]}})
    assert not is_random(parts.config.augment.train)
    cached, views, reason = settled_for(parts, epochs=65)
    assert (cached, views) == (True, 1)
    assert "draws nothing at random" in reason
    assert settled_for(parts, feature_views=0)[0]


def test_new_draws_every_epoch_are_not_cached():
    parts = parts_of(DIGITS)
    cached, views, reason = settled_for(parts, feature_views=0)
    assert (cached, views) == (False, 0)
    assert "feature_views=0" in reason
    with pytest.raises(ConfigError, match=r"train\.cache_features: .*feature_views=0"):
        settled_for(parts, feature_views=0, cache_features=True)
    assert settled_for(parts, cache_features=False)[:2] == (False, 0)
    assert settled_for(parts, cache_features=False, feature_views=4)[:2] == (False, 4)


def test_nothing_frozen_is_nothing_to_cache():
    parts = parts_of(DIGITS | {"model": "digits_cnn"})
    cached, views, reason = settled_for(parts)
    assert (cached, views) == (False, 0)
    assert "nothing is frozen" in reason
    with pytest.raises(ConfigError, match="nothing is frozen"):
        settled_for(parts, cache_features=True)


def test_a_small_frozen_part_is_cached_on_request_alone():
    parts = parts_of(DIGITS | {"model": {"name": "digits_cnn", "frozen": ["0", "1"]}})
    cached, _, reason = settled_for(parts)
    assert not cached
    assert "train.cache_features=true" in reason
    assert settled_for(parts, cache_features=True)[0]


def test_features_that_do_not_fit_the_memory_are_not_cached(monkeypatch):
    parts = parts_of(DIGITS)
    needed = 1797 * 64 * 4
    monkeypatch.setattr("vernier.training.features.available_memory", lambda: 4 * needed)
    assert settled_for(parts)[0]
    monkeypatch.setattr("vernier.training.features.available_memory", lambda: 4 * needed - 4)
    cached, _, reason = settled_for(parts)
    assert not cached
    assert "MiB" in reason
    assert settled_for(parts, cache_features=True)[0]
    monkeypatch.setattr("vernier.training.features.available_memory", lambda: needed - 1)
    with pytest.raises(ConfigError, match="MiB"):
        settled_for(parts, cache_features=True)


def trained_logits(setup: Setup) -> np.ndarray:
    """Train all epochs, then the logits of the validation images."""
    step = make_step(setup)
    for epoch in range(setup.config.train.epochs):
        set_training_mode(setup.model, freeze_batchnorm=False)
        for number, batch in enumerate(setup.loader.epoch(epoch)):
            torch.manual_seed(1000 * epoch + number)
            step.forward_backward(batch)
            step.update()
        split_logits(setup, setup.dataset.split.val)
    return split_logits(setup, setup.dataset.split.val)


def assert_equal_trainings(values: dict, **tolerance) -> None:
    cached, uncached = (joined(parts_of(values, cache_features=on, feature_views=2)) for on in (True, False))
    before = split_logits(cached, cached.dataset.split.val)
    logits = [trained_logits(setup) for setup in (cached, uncached)]
    np.testing.assert_allclose(*logits, **{"atol": 1e-3, "rtol": 1e-4} | tolerance)
    assert np.abs(logits[0] - before).max() > 0.05
    one, other = cached.model.state_dict(), uncached.model.state_dict()
    for name in one:
        torch.testing.assert_close(one[name], other[name], rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("optimizer", ["adamw", pytest.param("sgd", marks=pytest.mark.slow)])
def test_training_on_features_equals_the_uncached_training_of_the_same_views(optimizer):
    assert_equal_trainings(DIGITS | {"optimizer": {"name": optimizer, "lr": 0.02}})


def test_a_timm_network_on_features_equals_the_uncached_training_of_the_same_views(class_folders):
    model = {"name": "mobilenetv2_035", "provider": "timm", "frozen": "backbone", "input_size": 32, "dropout": 0.2}
    assert_equal_trainings(DIGITS | {"model": model, "data": {"source": str(class_folders), "batch_size": 8}})


def test_features_larger_than_a_vector_train_as_images_do():
    """The suffix has BatchNorm in train mode, whose sums over features and over images round differently."""
    assert_equal_trainings(DIGITS | {"model": {"name": "digits_cnn", "frozen": ["0", "1", "3", "4"]}}, atol=1e-2)


def test_bfloat16_weights_are_trained_on_features():
    setup = joined(parts_of(DIGITS, cache_features=True, feature_views=2, precision="bf16-true"))
    logits = trained_logits(setup)
    assert {parameter.dtype for parameter in setup.model.parameters()} == {torch.bfloat16}
    assert setup.loader.feed.batch(setup.loader.positions[:3], 0).dtype == torch.float32
    targets = setup.dataset.source.targets[setup.dataset.split.val]
    assert np.mean(logits.argmax(axis=1) == targets) > 0.15


def test_views_come_back_and_differ():
    setup = joined(parts_of(DIGITS, cache_features=True, feature_views=2))
    batches = [setup.loader.feed.batch(setup.loader.positions[:5], epoch) for epoch in range(4)]
    assert torch.equal(batches[0], batches[2])
    assert torch.equal(batches[1], batches[3])
    assert not torch.isclose(batches[0], batches[1]).all(dim=1).any()


def test_features_are_the_frozen_part_of_the_augmented_images():
    parts = parts_of(DIGITS, cache_features=True, feature_views=2)
    setup, plain = joined(parts), joined(parts_of(DIGITS, cache_features=False, feature_views=2))
    positions = np.random.default_rng(0).permutation(setup.loader.positions)[:40]
    images = plain.loader.feed.batch(positions, 3)
    with torch.no_grad():
        wanted = plain.model.eval()[:-2](images)
    torch.testing.assert_close(setup.loader.feed.batch(positions, 3), wanted, rtol=1e-5, atol=1e-6)


def test_validation_through_features_is_the_whole_model_on_the_images():
    setup = joined(parts_of(DIGITS, cache_features=True, feature_views=1))
    assert setup.features is not None
    with torch.no_grad():
        setup.model[-1].weight.mul_(-3)
    for positions in (setup.dataset.split.val, setup.dataset.split.test[:7], setup.dataset.split.val[:0]):
        whole = predict_logits(
            setup.model, setup.dataset.store, positions, setup.parts.preprocessing, batch_size=64, threads=0
        )
        np.testing.assert_allclose(split_logits(setup, positions), whole, rtol=1e-5, atol=1e-5)
    assert setup.model.training


def test_features_are_the_same_every_time():
    hashes = {joined(parts_of(DIGITS, cache_features=True, feature_views=2)).features.hash() for _ in range(2)}
    assert len(hashes) == 1


def test_a_run_that_goes_on_ends_with_the_same_bits_and_says_that_augmentation_is_repeated():
    settings = (*CACHED, "schedule=constant", "data.split.val=0", "data.split.test=0")
    api.train(DIGITS, *settings, "run.root=cut")
    longer = api.train(DIGITS, *settings, "run.root=cut", "train.epochs=5")
    whole = api.train(DIGITS, *settings, "run.root=whole", "train.epochs=5")
    assert longer.result["epochs"] == 5
    one, other = weights(longer), weights(whole)
    assert all(torch.equal(one[name], other[name]) for name in one)
    text = (whole.run.path / "train.log").read_text()
    assert "64 numbers an image" in text
    assert "train.cache_features=false for none" in text
    assert "the augmentation of the first 2 epochs is repeated in turn" in text


def test_a_model_without_a_frozen_first_part_is_refused_where_features_are_asked_for():
    parts = parts_of(DIGITS | {"model": "digits_cnn"}, cache_features=True, feature_views=1)
    with pytest.raises(TrainingError, match="nothing is frozen"):
        joined(parts)


class Numbers(Feed):
    """Samples that say in which epoch they were drawn."""

    def batch(self, positions, epoch):
        return torch.full((len(positions),), epoch)


def test_a_feed_of_views_repeats_its_epochs():
    feed = ViewsFeed(Numbers(), 3)
    assert [int(feed.batch(np.arange(1), epoch)) for epoch in range(7)] == [0, 1, 2, 0, 1, 2, 0]
    assert feed.callers == Numbers.callers
