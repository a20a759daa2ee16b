import numpy as np
import pytest
import torch
from torch.nn import functional

from vernier.models.task import make_task

NAMES = ("cat", "dog", "owl")


def _logits(n: int, outputs: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, outputs, generator=torch.Generator().manual_seed(seed)) * 3


def test_multiclass_loss_is_torchs_cross_entropy():
    task = make_task("multiclass", NAMES)
    logits, targets = _logits(7, 3), task.targets(np.array([0, 1, 2, 2, 1, 0, 0]))
    expected = functional.cross_entropy(logits, targets, reduction="none")
    torch.testing.assert_close(task.evaluation_loss(logits, targets), expected)


def test_binary_loss_is_the_two_class_cross_entropy():
    binary, two = make_task("binary", NAMES[:2]), make_task("multiclass", NAMES[:2])
    logits, targets = _logits(6, 1), np.array([0, 1, 1, 0, 1, 0])
    as_two = torch.cat([torch.zeros_like(logits), logits], dim=1)
    expected = two.evaluation_loss(as_two, two.targets(targets))
    torch.testing.assert_close(binary.evaluation_loss(logits, binary.targets(targets)), expected)
    torch.testing.assert_close(binary.probabilities(logits), two.probabilities(as_two))


def test_multilabel_loss_is_the_mean_over_labels():
    task = make_task("multilabel", NAMES)
    logits, targets = _logits(5, 3), np.eye(5, 3, dtype=np.uint8)
    whole = functional.binary_cross_entropy_with_logits(logits, task.targets(targets))
    assert task.evaluation_loss(logits, task.targets(targets)).shape == (5,)
    torch.testing.assert_close(task.evaluation_loss(logits, task.targets(targets)).mean(), whole)


@pytest.mark.parametrize("name", ["multiclass", "binary", "multilabel"])
def test_loss_is_float32_under_autocast(name):
    task = make_task(name, NAMES[:2])
    targets = np.ones((4, 2), np.uint8) if name == "multilabel" else np.array([0, 1, 1, 0])
    logits = _logits(4, task.num_outputs).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = task.evaluation_loss(logits, task.targets(targets))
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, task.evaluation_loss(logits.float(), task.targets(targets)))


def test_binary_decides_by_the_threshold():
    task = make_task("binary", ("no", "yes"), threshold=0.25)
    probabilities = np.array([[0.75, 0.25], [0.76, 0.24], [0.1, 0.9]], np.float32)
    assert task.decide(probabilities).tolist() == [1, 0, 1]
    assert task.labels(task.decide(probabilities)) == ["yes", "no", "yes"]
    np.testing.assert_array_equal(task.confidence(probabilities), np.array([0.25, 0.76, 0.9], np.float32))


def test_multilabel_decides_each_label_and_names_them():
    task = make_task("multilabel", NAMES, threshold=0.5)
    probabilities = np.array([[0.5, 0.1, 0.8], [0.2, 0.3, 0.1]], np.float32)
    decisions = task.decide(probabilities)
    assert decisions.dtype == np.uint8
    assert decisions.tolist() == [[1, 0, 1], [0, 0, 0]]
    assert task.labels(decisions) == ["cat|owl", ""]
    np.testing.assert_allclose(task.confidence(probabilities), [0.5, 0.7])


@pytest.mark.parametrize("name", ["multiclass", "binary", "multilabel"])
@pytest.mark.parametrize("threshold", [0.3, 0.5])
def test_correct_agrees_with_decide(name, threshold):
    task = make_task(name, NAMES[:2], threshold=threshold)
    generator = np.random.default_rng(3)
    targets = generator.integers(0, 2, (40, 2) if name == "multilabel" else 40)
    targets = targets.astype(np.uint8 if name == "multilabel" else np.int64)
    logits = _logits(40, task.num_outputs)
    right = task.decide(task.probabilities(logits).numpy()) == targets
    expected = right.all(axis=1) if name == "multilabel" else right
    assert task.correct(logits, task.targets(targets)).tolist() == expected.tolist()
    assert 0 < expected.sum() < 40
