import pytest
import torch
from torch import nn

from vernier.models.dropout import fit_dropout
from vernier.models.zoo.layers import StochasticDepth
from vernier.models.zoo.st_efficientnet_lc import Residual, SqueezeExcitation, st_efficientnet_lc_v1


def test_published_widths():
    module = st_efficientnet_lc_v1(5)
    assert module.stem.conv.out_channels == 16
    assert [stage[0].project.conv.out_channels for stage in module.stages] == [8, 16, 24, 40, 48, 88, 144]
    assert [len(stage) for stage in module.stages] == [1, 2, 2, 3, 3, 4, 1]
    assert module.top.conv.out_channels == 576


def test_every_convolution_has_a_bias():
    assert all(m.bias is not None for m in st_efficientnet_lc_v1(5).modules() if isinstance(m, nn.Conv2d))


def stochastic_depths(module):
    return [m.drop_prob for m in module.modules() if isinstance(m, StochasticDepth)]


def test_stochastic_depth_grows_and_is_its_own():
    module = st_efficientnet_lc_v1(5, dropout=0.3)
    graded = [0.025, 0.05, 0.075, 0.0875, 0.1125, 0.125, 0.15, 0.1625, 0.175]
    assert stochastic_depths(module) == pytest.approx(graded)
    fit_dropout(module, 0.6)
    assert module.dropout.p == 0.6
    assert stochastic_depths(module) == pytest.approx(graded)


def test_residual_drops_the_branch_of_whole_images():
    torch.manual_seed(0)
    block = Residual(nn.Conv2d(2, 2, 1), 0.25)
    x = torch.randn(400, 2, 3, 3)
    branch = block.branch(x)
    added = block(x) - x
    dropped = (added == 0).flatten(1).all(1)
    torch.testing.assert_close(added[~dropped], branch[~dropped] / 0.75)
    assert dropped.float().mean().item() == pytest.approx(0.25, abs=0.07)
    torch.testing.assert_close(block.eval()(x), x + branch)


def test_gate_is_clipped_and_follows_the_means():
    block = SqueezeExcitation(6, 2)
    x = torch.randn(3, 6, 4, 5) * 50
    squeeze, excite = block.gate.squeeze, block.gate.excite
    hidden = (x.mean(dim=(2, 3)) @ squeeze.weight.flatten(1).T + squeeze.bias).clamp(0, 6)
    gate = torch.sigmoid((hidden @ excite.weight.flatten(1).T + excite.bias).clamp(-4, 4))
    torch.testing.assert_close(block(x), x * gate[:, :, None, None])


def test_gates_are_a_quarter_of_the_blocks_input():
    module = st_efficientnet_lc_v1(5)
    blocks = [getattr(block, "branch", block) for stage in module.stages for block in stage]
    inputs = [16, 8, 16, 16, 24, 24, 40, 40, 40, 48, 48, 48, 88, 88, 88, 88]
    assert [block.gate.gate.squeeze.out_channels for block in blocks] == [channels // 4 for channels in inputs]


def test_a_very_narrow_network_keeps_its_blocks():
    module = st_efficientnet_lc_v1(5, width_divisor=1000)
    assert len(stochastic_depths(module)) == 9


def test_expansion_and_depthwise_are_clipped_at_six_and_the_projection_is_linear():
    torch.manual_seed(0)
    block = st_efficientnet_lc_v1(5).stages[1][0].train()
    x = torch.randn(4, 8, 16, 16)
    expanded = block.expand[:2](x)
    torch.testing.assert_close(block.expand(x), expanded.clamp(0, 6))
    torch.testing.assert_close(block.depthwise(expanded), block.depthwise[:-1](expanded).clamp(0, 6))
    gated = block.gate(block.depthwise(expanded.clamp(0, 6)))
    torch.testing.assert_close(block(x), block.project.norm(block.project.conv(gated)))
