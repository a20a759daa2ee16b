import pytest
import torch
from torch import nn
from torch.nn import functional as F

from vernier.errors import ModelError
from vernier.models.zoo.st_resnet import BasicBlock, st_resnet, st_resnet8, st_resnet20, st_resnet32


@pytest.mark.parametrize(("depth", "nearest"), [(2, 8), (7, 8), (9, 8), (18, 14), (34, 32)])
def test_other_depths_are_refused(depth, nearest):
    with pytest.raises(ModelError, match=rf"model\.depth={depth}: .*6 k \+ 2 layers.*set model\.depth={nearest}$"):
        st_resnet(10, depth=depth)


@pytest.mark.parametrize(("function", "depth"), [(st_resnet8, 8), (st_resnet20, 20), (st_resnet32, 32)])
def test_named_depths(function, depth):
    shapes, expected = (
        [tuple(p.shape) for p in net.parameters()] for net in (function(10), st_resnet(10, depth=depth))
    )
    assert shapes == expected


@pytest.mark.parametrize("depth", [8, 14])
def test_depth_counts_convolutions_and_the_classifier(depth):
    shortcuts = 2
    layers = [m for m in st_resnet(10, depth=depth).modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert len(layers) - shortcuts == depth


def test_every_convolution_has_a_bias():
    assert all(m.bias is not None for m in st_resnet8(10).modules() if isinstance(m, nn.Conv2d))


@pytest.mark.parametrize(("stride", "size"), [(1, (7, 6)), (2, (8, 6)), (2, (7, 5))])
def test_a_block_is_the_rectified_sum_of_branch_and_shortcut(stride, size):
    block = BasicBlock(4, 8 if stride == 2 else 4, stride).eval()
    x = torch.randn(2, 4, *size)
    shortcut = x if stride == 1 else F.conv2d(x, block.shortcut.weight, block.shortcut.bias, stride=2)
    torch.testing.assert_close(block(x), F.relu(shortcut + block.branch(x)))
    assert block(x).shape[2:] == tuple(-(-side // stride) for side in size)
    last = block.branch[1]
    torch.testing.assert_close(block.branch(x), last.norm(last.conv(block.branch[0](x))))
    assert not (block.branch[0](x) < 0).any()


def test_global_average_is_the_8x8_average_of_the_device_zoo():
    module = st_resnet8(10).eval()
    images = torch.randn(2, 3, 32, 32)
    features = module.stage3(module.stage2(module.stage1(module.stem(images))))
    torch.testing.assert_close(module(images), module.classifier(F.avg_pool2d(features, 8).flatten(1)))


def test_first_weights_are_he_normal():
    torch.manual_seed(0)
    module = st_resnet8(100)
    assert module.stage3[0].branch[1].conv.weight.std().item() == pytest.approx((2 / (64 * 9)) ** 0.5, rel=0.02)
    assert module.classifier.weight.std().item() == pytest.approx((2 / 64) ** 0.5, rel=0.05)
