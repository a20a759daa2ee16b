"""`loss=auto` and `data.imbalance=auto` become plain settings with reasons."""

from dataclasses import replace

import numpy as np
import pytest

from vernier.config.loading import config_from_mapping
from vernier.config.loss import BinaryCrossEntropyConfig, CrossEntropyConfig, CustomLossConfig, FocalLossConfig
from vernier.config.model import ModelConfig
from vernier.config.writing import unresolved
from vernier.data.sources import open_source
from vernier.errors import ConfigError
from vernier.training.choices import Choices
from vernier.training.resolve_loss import choose_loss, choose_remedy

MILD, LONG, EVEN = np.array([100, 50, 10]), np.array([1000, 100, 10]), np.array([300, 200, 100])
BACKBONE = ModelConfig(frozen="backbone")


@pytest.mark.parametrize(
    ("counts", "loss", "task", "model", "settings"),
    [
        (EVEN, CrossEntropyConfig(), "multiclass", ModelConfig(), {}),
        (MILD, CrossEntropyConfig(), "multiclass", ModelConfig(), {"loss.class_weights": "effective_number"}),
        (LONG, CrossEntropyConfig(), "multiclass", ModelConfig(), {"loss.logit_adjustment": 1.0}),
        (LONG, FocalLossConfig(), "multiclass", ModelConfig(), {"loss.class_weights": "effective_number"}),
        (MILD, CrossEntropyConfig(), "multiclass", BACKBONE, {"data.sampler": "balanced"}),
        (LONG, CrossEntropyConfig(), "multiclass", BACKBONE, {"data.sampler": "balanced"}),
        (EVEN, CrossEntropyConfig(), "multiclass", BACKBONE, {}),
        (MILD, BinaryCrossEntropyConfig(), "multilabel", ModelConfig(), {"loss.positive_weights": "balanced"}),
        (LONG[:2], BinaryCrossEntropyConfig(), "binary", BACKBONE, {"loss.positive_weights": "balanced"}),
        (MILD, FocalLossConfig(), "multilabel", ModelConfig(), {"data.sampler": "balanced"}),
        (MILD, CustomLossConfig(callable="a:b"), "multiclass", ModelConfig(), {"data.sampler": "balanced"}),
    ],
)
def test_the_remedy_goes_by_the_sizes_the_task_and_what_trains(counts, loss, task, model, settings):
    remedy = choose_remedy(counts, loss, task, model)
    assert remedy.settings == settings
    assert f"{counts.max() / counts.min():.3g} times" in remedy.reason


def resolved(source, **fields):
    config = config_from_mapping({"data": "digits", **{key.replace("__", "."): fields[key] for key in fields}}).config
    choices = Choices(config)
    choices.choose("data.task", "multilabel" if source.multilabel else "multiclass", "labels")
    choose_loss(choices, source)
    return choices.finish()


@pytest.fixture(scope="module")
def digits():
    return open_source(config_from_mapping({"data": "digits"}).config.data)


def long_tailed(source, share: int):
    """The source with all but every share-th training image of 9 called 0."""
    targets = source.targets.copy()
    nines = np.flatnonzero((targets == 9) & (np.array(source.split) != "test"))
    targets[np.setdiff1d(nines, nines[::share])] = 0
    return replace(source, targets=targets)


def test_auto_keeps_its_fields_under_the_name_of_the_task(digits):
    result = resolved(digits, loss__label_smoothing=0.1, loss__class_weights="balanced", loss__l2=0.01)
    assert result.config.loss == CrossEntropyConfig(label_smoothing=0.1, class_weights="balanced", l2=0.01)
    assert result.reasons["loss.name"] == "the usual one for multiclass"
    assert "loss.name" not in unresolved(result.config)
    labels = replace(digits, targets=np.eye(10, dtype=np.uint8)[digits.targets])
    assert resolved(labels, loss__positive_weights=3).config.loss == BinaryCrossEntropyConfig(positive_weights=(3.0,))


def test_a_loss_that_is_named_stays(digits):
    result = resolved(digits, loss="focal", loss__gamma=1)
    assert result.config.loss == FocalLossConfig(gamma=1.0)
    assert "loss.name" not in result.reasons


@pytest.mark.parametrize("fields", [{"loss": "bce"}, {"loss__positive_weights": 2}])
def test_what_means_nothing_for_the_sources_task_is_an_error(digits, fields):
    with pytest.raises(ConfigError, match="multiclass"):
        resolved(digits, **fields)


@pytest.mark.parametrize(
    ("share", "key", "value"),
    [(1, None, None), (8, "class_weights", "effective_number"), (60, "logit_adjustment", 1.0)],
)
def test_imbalance_becomes_off_with_a_reason(digits, share, key, value):
    result = resolved(long_tailed(digits, share), data__imbalance="auto")
    assert result.config.data.imbalance == "off"
    assert "times the images" in result.reasons["data.imbalance"]
    assert result.config.loss == CrossEntropyConfig(**({} if key is None else {key: value}))
    if key is not None:
        assert f"chose loss.{key}={value}" in result.reasons["data.imbalance"]
        assert f"loss.{key}" in result.reasons


def test_it_looks_at_training_images_only(digits):
    """A test set of one class more does not make the training set uneven."""
    targets = digits.targets.copy()
    test = np.array(digits.split) == "test"
    targets[test] = 0
    even = resolved(replace(digits, targets=targets), data__imbalance="auto")
    assert even.config.loss == CrossEntropyConfig()


def test_a_sampler_is_chosen_where_only_the_head_trains(digits):
    result = resolved(long_tailed(digits, 60), data__imbalance="auto", model__frozen="backbone")
    assert result.config.data.sampler == "balanced"
    assert "only the head trains" in result.reasons["data.sampler"]
