import numpy as np
import torch
from torch import nn

from optim.updates import adam_moments, assert_follows
from vernier.config.optimizer import LAMBConfig
from vernier.optim.lamb import LAMB
from vernier.optim.optimizers import make_optimizer


def paper(lr, eps, adapted):
    def update(w, g, state, step, decay):
        m, v = adam_moments(g, state, step, (0.9, 0.999))
        u = m / (np.sqrt(v) + eps) + decay * w
        length, weight = np.linalg.norm(u), np.linalg.norm(w)
        ratio = weight / length if adapted(w) and length > 0 and weight > 0 else 1.0
        return w - lr * ratio * u

    return update


def test_twenty_steps_are_the_papers():
    assert_follows(LAMBConfig(lr=0.02, weight_decay=0.1), paper(0.02, 1e-6, lambda w: w.ndim > 1))


def test_biases_and_norms_are_scaled_when_they_are_decayed():
    config = LAMBConfig(lr=0.02, weight_decay=0.0, decay_norm_and_bias=True)
    assert_follows(config, paper(0.02, 1e-6, lambda w: True))


def test_a_weight_of_zeros_moves():
    module = nn.Sequential(nn.Linear(3, 2, bias=False), nn.Linear(2, 2, bias=False))
    nn.init.zeros_(module[0].weight)
    optimizer = make_optimizer(module, LAMBConfig(lr=0.1, weight_decay=0))
    module[0].weight.grad = torch.full((2, 3), 2.0)
    optimizer.step()
    torch.testing.assert_close(module[0].weight.detach(), torch.full((2, 3), -0.1))


def test_without_gradient_the_weight_stays():
    weight = nn.Parameter(torch.ones(2, 2))
    optimizer = LAMB([weight], weight_decay=0.0)
    weight.grad = torch.zeros(2, 2)
    optimizer.step()
    assert torch.equal(weight.detach(), torch.ones(2, 2))
