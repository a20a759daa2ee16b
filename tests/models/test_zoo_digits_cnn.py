import pytest
from torch import nn

from vernier.models.zoo.digits_cnn import digits_cnn


@pytest.mark.parametrize(("divisor", "widths"), [(1, [32, 32, 64, 64]), (3, [10, 10, 21, 21]), (100, [1, 1, 1, 1])])
def test_divided_widths_are_rounded_down(divisor, widths):
    network = digits_cnn(10, width_divisor=divisor)
    assert [layer.out_channels for layer in network if isinstance(layer, nn.Conv2d)] == widths
    assert network[-1].out_features == 10
