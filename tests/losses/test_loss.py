"""How the parts of a loss are put together from its section of the config."""

import numpy as np
import pytest
import torch
from loss_reference import logits
from torch.nn import functional

from vernier.config.loss import (
    AutoLossConfig,
    BinaryCrossEntropyConfig,
    CrossEntropyConfig,
    FocalLossConfig,
)
from vernier.losses.loss import make_loss
from vernier.models.task import make_task

NAMES = ("cat", "dog", "owl")
COUNTS = np.array([60, 30, 10])
LOSSES = [
    ("multiclass", CrossEntropyConfig(label_smoothing=0.1)),
    ("multiclass", CrossEntropyConfig(class_weights="balanced", logit_adjustment=1.0)),
    ("multiclass", FocalLossConfig(class_weights="effective_number")),
    ("binary", BinaryCrossEntropyConfig(positive_weights=(3.0,), label_smoothing=0.1)),
    ("binary", FocalLossConfig(alpha=0.25)),
    ("multilabel", BinaryCrossEntropyConfig(positive_weights="balanced")),
    ("multilabel", FocalLossConfig()),
]


def targets_of(task, n: int) -> torch.Tensor:
    shape = (n, 3) if task.name == "multilabel" else n
    highest = 3 if task.name == "multiclass" else 2
    return task.targets(np.random.default_rng(0).integers(0, highest, shape))


def made(name, config):
    task = make_task(name, NAMES[:2] if name == "binary" else NAMES)
    return task, make_loss(config, task, COUNTS[: len(task.class_names)], images=100)


@pytest.mark.parametrize(("name", "config"), LOSSES)
def test_every_loss_is_a_float32_number_for_each_image_alone(name, config):
    task, loss = made(name, config)
    values, targets = logits(8, task.num_outputs), targets_of(task, 8)
    losses = loss(values.bfloat16(), targets)
    assert losses.shape == (8,)
    assert losses.dtype == torch.float32
    alone = torch.cat([loss(values[i : i + 1], targets[i : i + 1]) for i in range(8)])
    torch.testing.assert_close(loss(values, targets), alone)


@pytest.mark.parametrize(("name", "config"), LOSSES)
@pytest.mark.parametrize("seed", range(3))
def test_a_step_down_the_gradient_lowers_every_loss(name, config, seed):
    task, loss = made(name, config)
    values, targets = logits(4, task.num_outputs, seed, scale=1.0).requires_grad_(), targets_of(task, 4)
    losses = loss(values, targets)
    losses.sum().backward()
    after = loss(values.detach() - 0.1 * values.grad, targets)
    # What is right already has no further to fall than float32 can tell.
    assert (after <= losses + 1e-6).all()
    assert after.sum() < losses.sum()


def test_class_weights_and_logit_adjustment_act_together():
    _, loss = made("multiclass", CrossEntropyConfig(class_weights=(1.0, 2.0, 3.0), logit_adjustment=1.0))
    values, targets = logits(6, 3), torch.tensor([0, 1, 2, 2, 1, 0])
    weights = torch.tensor([1.0, 2.0, 3.0]) / 1.5
    adjusted = values + torch.tensor(COUNTS / 100).log().float()
    expected = functional.cross_entropy(adjusted, targets, weight=weights, reduction="none")
    torch.testing.assert_close(loss(values, targets), expected)


def test_balanced_labels_count_all_images_not_all_labels():
    task, loss = made("multilabel", BinaryCrossEntropyConfig(positive_weights="balanced"))
    values, targets = logits(6, 3), targets_of(task, 6)
    pos_weight = torch.tensor((100 - COUNTS) / COUNTS).float()
    expected = functional.binary_cross_entropy_with_logits(values, targets, reduction="none", pos_weight=pos_weight)
    torch.testing.assert_close(loss(values, targets), expected.mean(dim=1))


def test_auto_is_resolved_before():
    with pytest.raises(TypeError, match="resolve"):
        made("multiclass", AutoLossConfig())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize(("name", "config"), LOSSES)
def test_a_gpu_computes_the_same(name, config):
    task, loss = made(name, config)
    values, targets = logits(8, task.num_outputs), targets_of(task, 8)
    torch.testing.assert_close(loss(values.cuda(), targets.cuda()).cpu(), loss(values, targets))
