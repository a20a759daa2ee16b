"""What the zoo's networks for CIFAR and ImageNet promise together."""

from functools import cache, partial

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from vernier.models.dropout import fit_dropout
from vernier.models.zoo.darknet import tiny_darknet
from vernier.models.zoo.digits_cnn import digits_cnn
from vernier.models.zoo.nasnet import nasnet_cifar, nasnet_large, nasnet_mobile
from vernier.models.zoo.resnet_cifar import resnet_cifar
from vernier.models.zoo.wide_resnet import wide_resnet

ALL = {
    "tiny_darknet": tiny_darknet,
    "digits_cnn": digits_cnn,
    "nasnet_cifar": nasnet_cifar,
    "nasnet_large": nasnet_large,
    "nasnet_mobile": nasnet_mobile,
    "resnet_cifar": partial(resnet_cifar, depth=14),
    "wide_resnet": partial(wide_resnet, depth=16, widen_factor=4),
}
FOR_PHOTOS = ("nasnet_large", "nasnet_mobile")
each = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name == "nasnet_large" else name for name in ALL]
)


def small(name, num_classes=7, in_channels=3, **arguments):
    """Of a size at which the network is quick, odd widths included."""
    divisor = {"nasnet_large": 24, "nasnet_cifar": 8, "nasnet_mobile": 8}.get(name, 3)
    return ALL[name](num_classes, in_channels, **{"width_divisor": divisor} | arguments)


@cache
def dense_weights(name, divisor):
    """Those between two layers, which a divisor narrows on both sides."""
    with torch.device("meta"):
        module = ALL[name](10, 3, width_divisor=divisor)
    convolutions = [child for child in module.modules() if isinstance(child, nn.Conv2d) and child.groups == 1]
    return sum(conv.weight.numel() for conv in convolutions if conv.in_channels != 3)


@each
@pytest.mark.parametrize("size", [(16, 16), (33, 22)])
def test_any_size_and_channel_number(name, size):
    logits = small(name, in_channels=2).eval()(torch.zeros(2, 2, *size))
    assert logits.shape == (2, 7)


@pytest.mark.parametrize("name", [name for name in ALL if name not in FOR_PHOTOS])
@pytest.mark.parametrize("divisor", [2, 3])
def test_divided_widths_leave_a_square_of_the_weights(name, divisor):
    assert dense_weights(name, 1) / dense_weights(name, divisor) == pytest.approx(divisor**2, rel=0.15)


@each
def test_widths_never_fall_below_one_and_logits_stay(name):
    module = small(name, width_divisor=1e4)
    assert module(torch.rand(4, 3, 32, 32)).shape == (4, 7)


@each
def test_both_memory_formats_give_the_same(name):
    # In float64, because in float32 rounding alone moves some logits by 1e-4 of their size.
    module = small(name).eval().double()
    images = torch.rand(2, 3, 33, 32, dtype=torch.float64)
    expected = module(images)
    module = module.to(memory_format=torch.channels_last)
    kept = []
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.register_forward_hook(lambda *a: kept.append(a[2].is_contiguous(memory_format=torch.channels_last)))
    logits = module(images.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(logits, expected, rtol=1e-10, atol=1e-10)
    assert kept
    assert all(kept)


@each
def test_traces_for_any_size(name):
    module = small(name).eval()
    traced = torch.fx.symbolic_trace(module)
    for size in ((32, 32), (33, 46)):
        images = torch.rand(2, 3, *size)
        assert torch.equal(traced(images), module(images))


@each
def test_a_few_steps_reach_every_parameter_and_lower_the_loss(name):
    torch.manual_seed(0)
    module = small(name, 4, dropout=0.0)
    side = 96 if name in FOR_PHOTOS else 32
    images, targets = torch.randn(8, 3, side, side), torch.arange(8) % 4
    optimizer = torch.optim.SGD(module.parameters(), lr=5e-4)
    losses = []
    for _ in range(3):
        loss = F.cross_entropy(module(images), targets)
        optimizer.zero_grad()
        loss.backward()
        assert all(torch.isfinite(parameter.grad).all() for parameter in module.parameters())
        optimizer.step()
        losses.append(loss.item())
    assert all(parameter.grad.any() for parameter in module.parameters() if parameter.ndim > 1)
    assert losses[-1] < losses[0]


@each
def test_dropout_before_the_head_is_set_and_fitted(name):
    def probabilities(module):
        return [child.p for child in module.modules() if isinstance(child, nn.Dropout)]

    assert probabilities(small(name, dropout=0.3)) == [0.3]
    fitted = small(name)
    fit_dropout(fitted, 0.4)
    assert probabilities(fitted) == [0.4]
