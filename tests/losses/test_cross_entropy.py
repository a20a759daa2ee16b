import numpy as np
import pytest
import torch
from loss_reference import logits, softmax
from torch.nn import functional

from vernier.losses.cross_entropy import CrossEntropy


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.7])
def test_it_is_torchs_and_the_formulas(smoothing):
    values, targets = logits(7, 4), torch.tensor([0, 1, 2, 3, 1, 0, 0])
    losses = CrossEntropy(smoothing)(values, targets)
    expected = functional.cross_entropy(values, targets, reduction="none", label_smoothing=smoothing)
    torch.testing.assert_close(losses, expected)
    q = (1 - smoothing) * np.eye(4)[targets] + smoothing / 4
    np.testing.assert_allclose(losses, -(q * np.log(softmax(values))).sum(axis=1), rtol=1e-5)


def test_half_precision_logits_give_the_loss_of_the_same_numbers_in_float32():
    values, targets = logits(5, 3).bfloat16(), torch.tensor([0, 1, 2, 0, 1])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses = CrossEntropy(0.1)(values, targets)
    assert losses.dtype == torch.float32
    assert torch.equal(losses, CrossEntropy(0.1)(values.float(), targets))
