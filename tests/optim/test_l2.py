import torch
from torch import nn

from optim.small_networks import small_net
from vernier.optim.l2 import add_l2_gradients_


def test_gradients_are_those_of_the_penalty_in_the_loss():
    ours, theirs = small_net(), small_net()
    images = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    ours(images).square().mean().backward()
    add_l2_gradients_(ours.parameters(), 0.01)
    loss = theirs(images).square().mean()
    penalty = sum(weight.square().sum() for weight in theirs.parameters() if weight.ndim > 1)
    (loss + 0.01 * penalty).backward()
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)


def test_what_has_no_gradient_is_left_alone():
    weight = nn.Parameter(torch.ones(2, 2))
    add_l2_gradients_([weight], 0.1)
    assert weight.grad is None
