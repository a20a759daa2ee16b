import numpy as np
import pytest
import torch
from loss_reference import logits, sigmoid
from torch.nn import functional

from vernier.losses.binary_cross_entropy import BinaryCrossEntropy
from vernier.losses.cross_entropy import CrossEntropy


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_several_labels_are_torchs_loss_and_the_formulas(smoothing):
    values, targets = logits(6, 3), (logits(6, 3, seed=1) > 0).float()
    weights = np.array([0.5, 2.0, 7.0])
    losses = BinaryCrossEntropy(smoothing, weights)(values, targets)
    q = targets * (1 - smoothing) + smoothing / 2
    expected = functional.binary_cross_entropy_with_logits(
        values, q, reduction="none", pos_weight=torch.tensor(weights, dtype=torch.float32)
    )
    torch.testing.assert_close(losses, expected.mean(dim=1))
    p, q64 = sigmoid(values), q.double().numpy()
    formula = -(weights * q64 * np.log(p) + (1 - q64) * np.log(1 - p)).mean(axis=1)
    np.testing.assert_allclose(losses, formula, rtol=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_a_single_label_is_the_two_class_cross_entropy(smoothing):
    values, targets = logits(6, 1), torch.tensor([0, 1, 1, 0, 1, 0])
    as_two = torch.cat([torch.zeros_like(values), values], dim=1)
    losses = BinaryCrossEntropy(smoothing)(values, targets.float())
    torch.testing.assert_close(losses, CrossEntropy(smoothing)(as_two, targets))


def test_bfloat16_logits_give_float32():
    values, targets = logits(4, 2).bfloat16(), torch.tensor([[0.0, 1.0]] * 4)
    losses = BinaryCrossEntropy(0.1, np.array([2.0, 3.0]))(values, targets)
    assert losses.dtype == torch.float32
    assert torch.equal(losses, BinaryCrossEntropy(0.1, np.array([2.0, 3.0]))(values.float(), targets))
