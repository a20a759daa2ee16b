import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from timm.layers import pad_same
from torch import nn

from vernier.models.zoo.layers import SamePadding, StochasticDepth, divided, glorot_uniform, he_normal, same_conv


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 7), st.data())
def test_same_padding_is_tensorflows(height, width, kernel, data):
    stride = data.draw(st.integers(1, kernel))
    x = torch.rand(1, 2, height, width)
    padded = SamePadding(kernel, stride)(x)
    assert torch.equal(padded, pad_same(x, [kernel, kernel], [stride, stride]))
    rows = nn.functional.conv2d(padded, torch.ones(1, 2, kernel, kernel), stride=stride).shape[2]
    assert rows == -(-height // stride)


@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (1, 2), (3, 1), (3, 2), (5, 1), (5, 2)])
@pytest.mark.parametrize("size", [(6, 9), (7, 8)])
def test_same_conv_is_padding_and_convolution(kernel, stride, size):
    layers = same_conv("conv", 4, 8, kernel, stride, groups=2, bias=True)
    conv = layers["conv"]
    x = torch.randn(2, 4, *size)
    expected = nn.functional.conv2d(
        pad_same(x, [kernel, kernel], [stride, stride]), conv.weight, conv.bias, stride=stride, groups=2
    )
    torch.testing.assert_close(nn.Sequential(layers)(x), expected)


def test_padding_exports_for_any_size():
    module = nn.Sequential(same_conv("conv", 3, 4, 3, stride=2, bias=False))
    dynamic = (dict.fromkeys((0, 2, 3), torch.export.Dim.DYNAMIC),)
    program = torch.export.export(module, (torch.randn(2, 3, 9, 8),), dynamic_shapes=dynamic)
    images = torch.randn(3, 3, 12, 15)
    torch.testing.assert_close(program.module()(images), module(images))


@pytest.mark.parametrize(("channels", "divisor", "expected"), [(64, 1, 64), (64, 1.5, 42), (64, 100, 1), (0, 1, 1)])
def test_divided_rounds_down_to_at_least_one(channels, divisor, expected):
    assert divided(channels, divisor) == expected


def convolution():
    return nn.Conv2d(64, 96, 3)


def depthwise():
    return nn.Conv2d(512, 512, 3, groups=512)


def linear():
    return nn.Linear(400, 100)


@pytest.mark.parametrize(("make", "fans"), [(convolution, 9 * 160), (depthwise, 9 * 513), (linear, 500)])
def test_glorot_uniform_has_kerass_limits(make, fans):
    layer = make()
    torch.manual_seed(0)
    glorot_uniform(layer)
    limit = (6 / fans) ** 0.5
    assert layer.weight.abs().max().item() == pytest.approx(limit, rel=0.01)
    assert layer.weight.abs().max() <= limit
    assert layer.weight.std().item() == pytest.approx(limit / 3**0.5, rel=0.03)
    assert not layer.bias.any()


@pytest.mark.parametrize(("make", "fan_in"), [(convolution, 9 * 64), (depthwise, 9), (linear, 400)])
def test_he_normal_keeps_the_variance_that_the_cut_takes(make, fan_in):
    layer = make()
    torch.manual_seed(0)
    he_normal(layer)
    std = (2 / fan_in) ** 0.5
    assert layer.weight.std().item() == pytest.approx(std, rel=0.03)
    assert layer.weight.abs().max().item() == pytest.approx(2 * std / 0.8796, rel=0.01)
    assert not layer.bias.any()


def test_stochastic_depth_drops_whole_images_and_keeps_the_mean():
    torch.manual_seed(0)
    drop, x = StochasticDepth(0.25), torch.ones(4000, 2, 2, 2)
    y = drop(x)
    assert y.unique().tolist() == pytest.approx([0, 1 / 0.75])
    assert torch.equal(y.amin((1, 2, 3)), y.amax((1, 2, 3)))
    assert y.mean() == pytest.approx(1, abs=0.03)
    assert torch.equal(drop.eval()(x), x)
