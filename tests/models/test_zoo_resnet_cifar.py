import pytest
import torch
from torch import nn

from vernier.errors import ModelError
from vernier.models.zoo.resnet_cifar import (
    BasicBlock,
    resnet20_cifar,
    resnet32_cifar,
    resnet44_cifar,
    resnet56_cifar,
    resnet_cifar,
)


def trained(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("depth", "function"), [(20, resnet20_cifar), (32, resnet32_cifar), (44, resnet44_cifar), (56, resnet56_cifar)]
)
def test_the_named_depths_are_the_named_networks(depth, function):
    torch.manual_seed(0)
    named = function(10).state_dict()
    torch.manual_seed(0)
    of_depth = resnet_cifar(10, depth=depth).state_dict()
    assert list(named) == list(of_depth)
    assert all(torch.equal(named[name], of_depth[name]) for name in named)


def test_depth_is_the_number_of_layers():
    for depth in (8, 20, 110):
        with torch.device("meta"):
            module = resnet_cifar(10, depth=depth)
        assert sum(isinstance(child, nn.Conv2d | nn.Linear) for child in module.modules()) == depth
    assert trained(module) == pytest.approx(1.7e6, abs=0.05e6)


@pytest.mark.parametrize("depth", [2, 18, 21])
def test_other_depths_are_refused(depth):
    with pytest.raises(ModelError, match=rf"model\.depth={depth}: .*6n \+ 2 .*8, 14, 20, 26"):
        resnet_cifar(10, depth=depth)


def test_divided_widths_are_rounded_down():
    network = resnet20_cifar(10, width_divisor=3)
    assert [stage[0].conv1.out_channels for stage in (network.stage1, network.stage2, network.stage3)] == [5, 10, 21]


def test_a_shortcut_over_an_odd_difference_pads_one_more_channel_at_the_end():
    block = BasicBlock(5, 10, stride=2).eval()
    nn.init.zeros_(block.norm2.weight)
    x = torch.rand(2, 5, 7, 6)
    y = block(x)
    assert torch.equal(y[:, 2:7], x[:, :, ::2, ::2])
    assert not y[:, :2].any()
    assert not y[:, 7:].any()


def test_a_shortcut_subsamples_where_the_width_stays():
    block = BasicBlock(1, 1, stride=2).eval()
    nn.init.zeros_(block.norm2.weight)
    x = torch.rand(2, 1, 7, 6)
    assert torch.equal(block(x), x[:, :, ::2, ::2])
