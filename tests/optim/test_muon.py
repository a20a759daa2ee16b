import numpy as np
import pytest
import torch
from torch import nn

from optim.updates import adam_moments, assert_follows, gradients
from vernier.config.optimizer import MuonConfig
from vernier.optim.muon import Muon, orthogonalise
from vernier.optim.optimizers import make_optimizer

HIDDEN = "3.weight"


def newton_schulz(matrix, steps):
    x = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    x = x / max(np.linalg.norm(x), 1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = 3.4445 * x + (-4.775 * gram + 2.0315 * gram @ gram) @ x
    return x if matrix.shape[0] <= matrix.shape[1] else x.T


def paper(lr, nesterov, scale, rest_factor):
    def muon(w, g, state, decay):
        m = state["m"] = 0.95 * state.get("m", 0.0) + 0.05 * g
        u = 0.05 * g + 0.95 * m if nesterov else m
        o = newton_schulz(u.reshape(len(u), -1), 5).reshape(w.shape)
        return w * (1 - lr * decay) - lr * scale(len(w), w[0].size) * o

    def adamw(w, g, state, step, decay):
        rate = lr * rest_factor
        m, v = adam_moments(g, state, step, (0.9, 0.99))
        return w * (1 - rate * decay) - rate * m / (np.sqrt(v) + 1e-8)

    def update(w, g, state, step, decay):
        return muon(w, g, state, decay) if state["name"] == HIDDEN else adamw(w, g, state, step, decay)

    return update


def match_rms(rows, columns):
    return 0.2 * np.sqrt(max(rows, columns))


def original(rows, columns):
    return np.sqrt(max(1, rows / columns))


@pytest.mark.parametrize("nesterov", [True, False])
@pytest.mark.parametrize("adjust", [match_rms, original])
def test_twenty_steps_are_the_papers(nesterov, adjust):
    config = MuonConfig(
        lr=0.01,
        weight_decay=0.1,
        betas=(0.9, 0.99),
        nesterov=nesterov,
        adjust_lr="original" if adjust is original else "match_rms_adamw",
        adamw_lr_factor=0.5,
    )
    assert_follows(config, paper(0.01, nesterov, adjust, 0.5), rtol=2e-5)


@pytest.mark.parametrize("shape", [(6, 10), (10, 6)])
@pytest.mark.parametrize("adjust", ["original", "match_rms_adamw"])
def test_matrices_move_as_torchs_muon_moves_them(shape, adjust):
    """torch computes in bfloat16."""
    ours, theirs = (nn.Parameter(torch.ones(shape)) for _ in range(2))
    optimizers = (
        Muon([ours], lr=0.02, weight_decay=0.1, adjust_lr=adjust),
        torch.optim.Muon([theirs], lr=0.02, weight_decay=0.1, adjust_lr_fn=adjust),
    )
    for step in range(20):
        for weight, optimizer in zip((ours, theirs), optimizers, strict=True):
            weight.grad = torch.from_numpy(gradients(step, shape)).float()
            optimizer.step()
    moved = (theirs - 1).norm()
    assert (ours - theirs).norm() < 0.02 * moved


@pytest.mark.parametrize("shape", [(3, 4, 9), (3, 9, 4), (1, 5, 5)])
def test_orthogonalise_keeps_directions_and_evens_out_lengths(shape):
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    found = orthogonalise(matrices, 5)
    assert found.shape == shape
    assert found.is_contiguous()
    lengths = torch.linalg.svdvals(found)
    assert lengths.min() > 0.6
    assert lengths.max() < 1.3
    u, _, v = torch.linalg.svd(matrices, full_matrices=False)
    inner = u.mT @ found @ v.mT
    assert (inner - torch.diag_embed(torch.diagonal(inner, dim1=-2, dim2=-1))).abs().max() < 1e-5


def test_a_gradient_of_zeros_gives_no_step():
    assert torch.equal(orthogonalise(torch.zeros(1, 3, 4), 5), torch.zeros(1, 3, 4))


def test_kernels_and_rows_of_the_same_shape_are_computed_together_and_go_back_to_their_places():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(2, 3), nn.Conv2d(4, 6, 3), nn.Linear(36, 6), nn.Conv2d(36, 6, 1), nn.Linear(6, 2))
    module.to(memory_format=torch.channels_last)
    before = [parameter.detach().clone() for parameter in module.parameters()]
    optimizer = make_optimizer(module, MuonConfig(lr=1.0, weight_decay=0))
    for parameter in module.parameters():
        parameter.grad = torch.randn_like(parameter)
    optimizer.step()
    for index in (1, 2, 3):
        weight = module[index].weight
        alone = orthogonalise(weight.grad.flatten(1)[None], 5)[0].reshape(weight.shape)
        torch.testing.assert_close(before[2 * index] - weight, 0.2 * 6 * alone, rtol=1e-4, atol=1e-5)
