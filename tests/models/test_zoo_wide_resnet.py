import pytest
import torch
from torch import nn
from torch.nn import functional as F

from vernier.errors import ModelError
from vernier.models.zoo.wide_resnet import PlainBlock, ProjectionBlock, wide_resnet, wide_resnet28_10, wide_resnet40_2


def trained(function, *arguments, **keywords):
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in function(*arguments, **keywords).parameters())


@pytest.mark.parametrize(
    ("depth", "widen_factor", "millions"),
    [
        (40, 1, 0.6),
        (40, 2, 2.2),
        (40, 4, 8.9),
        (16, 8, 11.0),
        (22, 8, 17.2),
        (16, 10, 17.1),
        (28, 10, 36.5),
        (28, 12, 52.5),
    ],
)
def test_parameters_are_those_of_the_papers_tables(depth, widen_factor, millions):
    count = trained(wide_resnet, 10, depth=depth, widen_factor=widen_factor)
    assert count / 1e6 == pytest.approx(millions, abs=0.0501)


def test_exact_parameters_of_the_named_ones():
    assert trained(wide_resnet28_10, 10) == 36_479_194
    assert trained(wide_resnet40_2, 10) == 2_243_546


@pytest.mark.parametrize("depth", [4, 27, 29])
def test_other_depths_are_refused(depth):
    with pytest.raises(ModelError, match=rf"model\.depth={depth}: .*6n \+ 4 .*10, 16, 22, 28"):
        wide_resnet(10, depth=depth)


def test_both_paths_of_a_projection_start_from_the_activated_input():
    block = ProjectionBlock(2, 3, stride=2).eval()
    nn.init.zeros_(block.conv2.weight)
    x = torch.randn(1, 2, 5, 5)
    expected = F.conv2d(F.relu(block.norm1(x)), block.shortcut.weight, stride=2)
    torch.testing.assert_close(block(x), expected)


def test_a_plain_block_adds_to_its_input():
    block = PlainBlock(2).eval()
    nn.init.zeros_(block.conv2.weight)
    x = torch.randn(1, 2, 5, 5)
    assert torch.equal(block(x), x)


def test_shortcuts_are_projected_where_size_or_width_change_and_nowhere_else():
    def projected(**arguments):
        network = wide_resnet(10, depth=16, **arguments)
        blocks = [*network.group1, *network.group2, *network.group3]
        return [isinstance(block, ProjectionBlock) for block in blocks]

    assert projected(widen_factor=2) == [True, False, True, False, True, False]
    assert projected(widen_factor=1) == [False, False, True, False, True, False]
    assert projected(widen_factor=1, width_divisor=100) == [False, False, True, False, True, False]


def test_first_weights_are_he_normal():
    torch.manual_seed(0)
    conv = wide_resnet40_2(10).group3[1].conv1
    assert conv.weight.std().item() == pytest.approx((2 / (128 * 9)) ** 0.5, rel=0.02)
