import pytest
import torch
from torch import nn

from vernier.models.zoo.st_custom import st_custom


@pytest.mark.parametrize(("size", "features"), [((12, 12), (1, 1)), ((32, 32), (2, 2)), ((64, 50), (4, 3))])
def test_three_poolings_and_a_stride(size, features):
    module = st_custom(5).eval()
    assert module.layer3(module.layer2(module.layer1(torch.zeros(1, 3, *size)))).shape == (1, 64, *features)


def test_convolutions_have_no_bias():
    assert all(layer.bias is None for layer in st_custom(5).modules() if isinstance(layer, nn.Conv2d))
