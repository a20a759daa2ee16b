import time

import pytest
import timm
import torch
from timm.layers.pool2d_same import AvgPool2dSame
from torch import nn

from vernier.models.zoo.nasnet import (
    HalvingAvgPool,
    HalvingMaxPool,
    ReductionCell,
    TwoPathHalving,
    nasnet_cifar,
    nasnet_large,
    nasnet_mobile,
)


def on_meta(function, *arguments, **keywords):
    with torch.device("meta"):
        return function(*arguments, **keywords)


def trained(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("function", "classes", "divisor", "expected", "statistics"),
    [
        (nasnet_large, 1000, 1, 88_949_818, 196_668),
        (nasnet_mobile, 1000, 1, 5_326_716, 36_738),
        (nasnet_cifar, 10, 1, 3_354_858, 36_800),
        (nasnet_mobile, 1000, 2, 1_685_978, 18_356),
        (nasnet_mobile, 1000, 4, 677_844, 10_018),
    ],
)
def test_parameters_are_those_of_keras(function, classes, divisor, expected, statistics):
    network = on_meta(function, classes, width_divisor=divisor)
    norms = [child for child in network.modules() if isinstance(child, nn.BatchNorm2d)]
    assert 2 * sum(norm.num_features for norm in norms) == statistics
    assert trained(network) + statistics == expected
    assert {norm.eps for norm in norms} == {1e-5 if function is nasnet_cifar else 1e-3}


def test_the_large_one_has_as_many_parameters_as_timms():
    assert trained(on_meta(nasnet_large, 1000)) == trained(on_meta(timm.create_model, "nasnetalarge"))


@pytest.mark.parametrize(
    ("function", "widths"),
    [
        (nasnet_large, {8: 22}),
        (nasnet_mobile, {8: 6, 100: 2}),
        (nasnet_cifar, {5: 6}),
    ],
)
def test_widths_of_a_cell_stay_even(function, widths):
    for divisor, width in widths.items():
        assert on_meta(function, 10, width_divisor=divisor).head.in_features == 24 * width


class InsideMean(nn.Module):
    """timm's average counts the padding's zeros; divided by the average of ones it does not."""

    def __init__(self, pool):
        super().__init__()
        self.pool = pool

    def forward(self, x):
        return self.pool(x) / self.pool(torch.ones_like(x))


def timms(num_features, stem_size, num_classes):
    """timm's network with means over the image alone, as TensorFlow computes them."""
    network = timm.create_model("nasnetalarge", num_features=num_features, stem_size=stem_size, num_classes=num_classes)
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, AvgPool2dSame):
                setattr(module, name, InsideMean(child))
    return network


def names_in_timms_order(network):
    """timm's cells begin with the 1x1 convolution where they put their other input together from two paths."""
    parts = ["stem"]
    for index, cell in enumerate(network.cells):
        children = [name for name, _ in cell.named_children()]
        if isinstance(cell.adjust, TwoPathHalving):
            children.sort(key=lambda name: name != "squeeze")
        parts += [f"cells.{index}.{name}" for name in children]
    return [f"{part}.{name}" for part in [*parts, "head"] for name in network.get_submodule(part).state_dict()]


@pytest.mark.parametrize("size", [(65, 65), (83, 90)])
def test_logits_are_timms(size):
    torch.manual_seed(0)
    theirs = timms(num_features=192, stem_size=4, num_classes=7).eval()
    ours = nasnet_large(7, width_divisor=21).eval()
    for module in theirs.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
    weights = theirs.state_dict().values()
    ours.load_state_dict(dict(zip(names_in_timms_order(ours), weights, strict=True)))
    images = torch.randn(2, 3, *size)
    torch.testing.assert_close(ours(images), theirs(images), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("function", "cells", "before"), [(nasnet_mobile, 4, 1), (nasnet_large, 6, 2)])
def test_what_the_cell_after_a_reduction_takes_as_previous(function, cells, before):
    """Mobile: the reduction's input. Large: what the reduction had as previous."""
    network = function(3, width_divisor=16).eval()
    taken, given = [], []
    for cell in network.cells:
        cell.register_forward_pre_hook(lambda _, inputs: taken.append(inputs[0]))
        cell.register_forward_hook(lambda _, inputs, output: given.append(output))
    network(torch.rand(1, 3, 64, 64))
    reduction = 2 + cells
    assert isinstance(network.cells[reduction], ReductionCell)
    assert taken[reduction + 1] is given[reduction - before]
    assert taken[reduction + 2] is given[reduction]


@pytest.mark.parametrize("size", [(5, 5), (6, 6), (5, 8), (1, 2)])
def test_halving_pools_leave_the_padding_out(size):
    x = torch.randn(2, 3, *size) - 3
    (top, left), (rows, columns) = ([n % 2 for n in size], [(n + 1) // 2 for n in size])
    windows = [
        [
            x[:, :, max(0, 2 * i - top) : 2 * i - top + 3, max(0, 2 * j - left) : 2 * j - left + 3]
            for j in range(columns)
        ]
        for i in range(rows)
    ]
    means = torch.stack([torch.stack([w.mean((2, 3)) for w in row], -1) for row in windows], -2)
    largest = torch.stack([torch.stack([w.amax((2, 3)) for w in row], -1) for row in windows], -2)
    torch.testing.assert_close(HalvingAvgPool()(x), means)
    assert torch.equal(HalvingMaxPool()(x), largest)


def test_two_paths_see_even_and_odd_pixels():
    halving = TwoPathHalving(1, 2).eval()
    for conv in (halving.even, halving.odd):
        nn.init.ones_(conv.weight)
    x = torch.arange(1.0, 26).reshape(1, 1, 5, 5)
    even, odd = halving(x)[0]
    torch.testing.assert_close(even, x[0, 0, ::2, ::2], rtol=1e-4, atol=0)
    torch.testing.assert_close(odd, torch.tensor([[7.0, 9, 0], [17, 19, 0], [0, 0, 0]]), rtol=1e-4, atol=0)


@pytest.mark.slow
def test_the_large_one_is_built_in_two_seconds():
    started = time.process_time()
    nasnet_large(1000)
    assert time.process_time() - started < 2


def test_first_weights_are_he_normal_over_one_channels_fan_out():
    torch.manual_seed(0)
    cell = nasnet_mobile(10).cells[-1]
    depthwise, pointwise = cell.current1[0].weight, cell.current1[1].weight
    assert depthwise.std().item() == pytest.approx((2 / 25) ** 0.5, rel=0.05)
    assert pointwise.std().item() == pytest.approx((2 / 176) ** 0.5, rel=0.05)
