import numpy as np
import pytest
import torch
from loss_reference import logits, softmax

from vernier.errors import ConfigError
from vernier.losses.cross_entropy import CrossEntropy
from vernier.losses.logit_adjustment import LogitAdjusted, logit_offsets

COUNTS = np.array([900, 90, 10])


@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_it_is_the_papers_formula(strength):
    values, targets = logits(6, 3), torch.tensor([0, 1, 2, 2, 1, 0])
    losses = LogitAdjusted(CrossEntropy(), logit_offsets(COUNTS, strength, "abc"))(values, targets)
    p = softmax(values) * (COUNTS / 1000) ** strength
    p /= p.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(losses, -np.log(p[np.arange(6), targets]), rtol=1e-5)


def test_the_best_logits_say_nothing_of_the_class_shares():
    """Where images tell nothing, the adjusted loss is least at equal logits, the plain one at the log shares."""
    values = torch.zeros(1000, 3, requires_grad=True)
    targets = torch.tensor(np.repeat([0, 1, 2], COUNTS))
    LogitAdjusted(CrossEntropy(), logit_offsets(COUNTS, 1.0, "abc"))(values, targets).sum().backward()
    np.testing.assert_allclose(values.grad.sum(dim=0), 0, atol=1e-3)


def test_a_class_without_images_has_no_logarithm():
    with pytest.raises(ConfigError, match="1 can't be computed: no training images of b"):
        logit_offsets(np.array([3, 0, 3]), 1.0, "abc")
