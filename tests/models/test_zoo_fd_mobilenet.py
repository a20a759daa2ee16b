import pytest
import torch
from torch import nn
from torch.nn import functional as F

from vernier.models.zoo.fd_mobilenet import fd_mobilenet, st_fd_mobilenet_v1


def widths(module):
    return [module.stem.conv.out_channels, *(block.conv.out_channels for block in module.blocks)]


def test_widths_of_the_st_variant():
    assert widths(st_fd_mobilenet_v1(5)) == [16, 48, 80, 64, 96, 64, 128, 128, 128, 128, 128, 256]


@pytest.mark.parametrize("alpha", [0.25, 0.5, 0.75, 1.0])
def test_widths_follow_alpha(alpha):
    assert widths(fd_mobilenet(5, alpha=alpha)) == [alpha * width for width in widths(fd_mobilenet(5))]


def test_five_halvings():
    module = fd_mobilenet(5, alpha=0.25).eval()
    assert module.blocks(module.stem(torch.zeros(1, 3, 128, 96))).shape == (1, 256, 4, 3)


def test_nothing_comes_between_depthwise_and_pointwise():
    block = fd_mobilenet(5, alpha=0.25).blocks[2]
    nn.init.normal_(block.depthwise.bias)
    weight = block.conv.weight * block.depthwise.weight.transpose(0, 1)
    bias = block.conv.weight.flatten(1) @ block.depthwise.bias
    x = torch.randn(2, weight.shape[1], 7, 5)
    expected = F.relu(block.norm.eval()(F.conv2d(x, weight, bias, padding=1)))
    torch.testing.assert_close(block.eval()(x), expected)


def test_classifier_is_the_1x1_convolution_of_the_pooled_map():
    module = st_fd_mobilenet_v1(5).eval()
    x = torch.randn(2, 3, 64, 64)
    pooled = module.blocks(module.stem(x)).mean(dim=(2, 3), keepdim=True)
    logits = F.conv2d(pooled, module.classifier.weight[:, :, None, None], module.classifier.bias)
    torch.testing.assert_close(module(x), logits.flatten(1))
