import numpy as np
import pytest
import torch
from loss_reference import logits, softmax
from torchvision.ops import sigmoid_focal_loss

from vernier.losses.binary_cross_entropy import BinaryCrossEntropy
from vernier.losses.cross_entropy import CrossEntropy
from vernier.losses.focal import SigmoidFocalLoss, SoftmaxFocalLoss


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("alpha", [None, 0.25])
def test_sigmoids_are_torchvisions(gamma, alpha):
    values, targets = logits(9, 3), (logits(9, 3, seed=1) > 0).float()
    losses = SigmoidFocalLoss(gamma, alpha)(values, targets)
    expected = sigmoid_focal_loss(values, targets, alpha=-1 if alpha is None else alpha, gamma=gamma)
    torch.testing.assert_close(losses, expected.mean(dim=1))


def test_a_single_label_is_torchvisions():
    values, targets = logits(5, 1), torch.tensor([0.0, 1.0, 1.0, 0.0, 1.0])
    expected = sigmoid_focal_loss(values[:, 0], targets, alpha=0.3, gamma=2)
    torch.testing.assert_close(SigmoidFocalLoss(2.0, 0.3)(values, targets), expected)


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_softmax_is_the_papers_formula(gamma):
    values, targets = logits(8, 4), torch.tensor([0, 1, 2, 3, 0, 1, 2, 3])
    p = softmax(values)[np.arange(8), targets]
    np.testing.assert_allclose(SoftmaxFocalLoss(gamma)(values, targets), -((1 - p) ** gamma) * np.log(p), rtol=1e-5)


def test_gamma_0_is_cross_entropy():
    values, targets = logits(8, 4), torch.tensor([0, 1, 2, 3, 0, 1, 2, 3])
    torch.testing.assert_close(SoftmaxFocalLoss(0.0)(values, targets), CrossEntropy()(values, targets))
    labels = (values > 1).float()
    torch.testing.assert_close(SigmoidFocalLoss(0.0)(values, labels), BinaryCrossEntropy()(values, labels))


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_gradients_are_finite_where_the_answer_is_certain(gamma):
    values = torch.tensor([[200.0, -200.0], [-200.0, 200.0]], requires_grad=True)
    (SoftmaxFocalLoss(gamma)(values, torch.tensor([0, 0])).sum()).backward()
    assert values.grad.isfinite().all()
    labels = torch.tensor([[200.0], [-200.0]], requires_grad=True)
    SigmoidFocalLoss(gamma, 0.25)(labels, torch.tensor([1.0, 1.0])).sum().backward()
    assert labels.grad.isfinite().all()


def test_bfloat16_logits_give_float32():
    values, targets = logits(4, 2).bfloat16(), torch.tensor([0, 1, 1, 0])
    assert torch.equal(SoftmaxFocalLoss()(values, targets), SoftmaxFocalLoss()(values.float(), targets))
