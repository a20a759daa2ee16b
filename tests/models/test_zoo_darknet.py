import pytest
import torch
from torch import nn

from vernier.models.zoo.darknet import SameSizeMaxPool, tiny_darknet


@pytest.mark.parametrize(
    ("classes", "divisor", "total"),
    [(1000, 1, 7_323_480), (10, 1, 6_308_730), (1000, 2, 2_089_760), (1000, 4, 652_260)],
)
def test_total_parameters(classes, divisor, total):
    with torch.device("meta"):
        network = tiny_darknet(classes, width_divisor=divisor)
    norms = [layer for layer in network if isinstance(layer, nn.BatchNorm2d)]
    statistics = 2 * sum(norm.num_features for norm in norms)
    trained = sum(parameter.numel() for parameter in network.parameters())
    assert trained + statistics == total
    if divisor == 1:
        assert statistics == 2 * 2032


@pytest.mark.parametrize("size", [(4, 3), (1, 1)])
def test_the_last_pool_keeps_the_size_and_pads_after_the_image(size):
    x = torch.randn(2, 3, *size) - 3
    padded = nn.functional.pad(x, (0, 1, 0, 1), mode="replicate")
    assert torch.equal(SameSizeMaxPool()(x), nn.functional.max_pool2d(padded, 2, stride=1))


@pytest.mark.parametrize(("size", "last"), [(224, 7), (225, 8), (16, 1)])
def test_five_halvings_that_round_up(size, last):
    with torch.device("meta"):
        features = tiny_darknet(10).eval()[:-4](torch.empty(1, 3, size, size))
    assert features.shape == (1, 1024, last, last)


def test_first_weights_are_he_normal_over_the_fan_in():
    torch.manual_seed(0)
    conv = [layer for layer in tiny_darknet(10) if isinstance(layer, nn.Conv2d)][-1]
    assert conv.weight.std().item() == pytest.approx((2 / (512 * 9)) ** 0.5, rel=0.02)
