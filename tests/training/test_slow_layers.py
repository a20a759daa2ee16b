from collections import OrderedDict

import pytest
import torch
from torch import nn

from vernier.errors import ConfigError
from vernier.training.slow_layers import check_fp32_layers, find_slow_layers, keep_in_fp32


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.wide = nn.Conv2d(3, 8, 3, padding=1)
        self.deep = nn.Conv2d(8, 8, 3, stride=2, padding=1, groups=8)
        self.deeper = nn.Conv2d(8, 8, 3, padding=1, groups=8)

    def forward(self, images):
        return self.deeper(self.deep(self.wide(images)))


@pytest.fixture
def images():
    return torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def test_a_layer_kept_in_fp32_computes_in_fp32_and_hands_on_bf16(images):
    torch.manual_seed(0)
    net = Net()
    with torch.autocast("cpu", torch.bfloat16):
        entered = net.wide(images)
        half = net.deep(entered)
        keep_in_fp32(net, ["deep"])
        full = net.deep(entered)
        assert torch.is_autocast_enabled("cpu")
        after = net.deeper(full)
    exact = nn.functional.conv2d(entered.float(), net.deep.weight, net.deep.bias, 2, 1, 1, 8)
    assert full.dtype == after.dtype == torch.bfloat16
    assert torch.equal(full, exact.bfloat16())
    assert not torch.equal(full, half)


def test_without_autocast_nothing_changes(images):
    net = Net()
    before = net(images)
    keep_in_fp32(net, ["deep", "deeper"])
    assert torch.equal(net(images), before)


def test_gradients_are_those_of_fp32(images):
    torch.manual_seed(0)
    net = Net()
    keep_in_fp32(net, ["deep"])
    inputs = torch.rand(2, 8, 16, 16).bfloat16().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        net.deep(inputs).sum().backward()
    exact = inputs.detach().float().requires_grad_()
    nn.functional.conv2d(exact, net.deep.weight, net.deep.bias, 2, 1, 1, 8).sum().backward()
    assert torch.equal(inputs.grad, exact.grad.bfloat16())


def test_asked_twice_is_as_once(images):
    torch.manual_seed(0)
    once, twice = Net(), Net()
    twice.load_state_dict(once.state_dict())
    keep_in_fp32(once, ["deep"])
    keep_in_fp32(twice, ["deep"])
    keep_in_fp32(twice, ["deep"])
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(once(images), twice(images))
        assert torch.is_autocast_enabled("cpu")


def test_an_error_in_the_layer_leaves_autocast_on():
    net = Net()
    keep_in_fp32(net, ["deep"])
    with torch.autocast("cpu", torch.bfloat16):
        with pytest.raises(RuntimeError):
            net.deep(torch.rand(1, 3, 4, 4))
        assert torch.is_autocast_enabled("cpu")


def test_only_slow_grouped_convolutions_are_found(images, monkeypatch):
    slow = {(2, 2): 2.0, (1, 1): 1.2}

    def seconds(call, dtype):
        return slow[call.layer.stride] if dtype == torch.bfloat16 else 1.0

    monkeypatch.setattr("vernier.training.slow_layers._seconds", seconds)
    net = Net().train()
    assert find_slow_layers(net, images) == ("deep",)
    assert all(not layer._forward_pre_hooks for layer in net.modules())


def test_layers_are_really_timed(images):
    assert set(find_slow_layers(Net().train(), images)) <= {"deep", "deeper"}


def test_a_layer_that_is_not_there_is_an_error_that_names_the_nearest():
    model = nn.Sequential(OrderedDict(stem=nn.Conv2d(3, 4, 3), head=nn.Linear(4, 2)))
    check_fp32_layers(model, ["stem"])
    with pytest.raises(ConfigError, match=r"train\.fp32_layers: names no layer: 'sten'\. Did you mean 'stem'"):
        check_fp32_layers(model, ["sten"])
