import pytest
import timm
import torch
from safetensors.torch import load_file
from timm.models.efficientnet import _gen_mobilenet_v1
from torch import nn

from vernier.models.zoo.mobilenet_v1 import mobilenet_v1


def randomise(module):
    torch.manual_seed(0)
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.running_mean.normal_(0, 0.1)
            norm.running_var.uniform_(0.05, 1.5)
            nn.init.uniform_(norm.weight, 0.5, 2)
            nn.init.normal_(norm.bias)


@pytest.mark.parametrize("size", [(64, 64), (75, 50)])
def test_is_timms_network(size):
    module = mobilenet_v1(5).eval()
    randomise(module)
    other = timm.create_model("mobilenetv1_100", num_classes=5, pad_type="same", bn_eps=1e-3).eval()
    other.load_state_dict(module.state_dict())
    images = torch.randn(2, 3, *size)
    torch.testing.assert_close(module(images), other(images))


def test_published_weights_give_what_timms_network_gives(shared_data, photos):
    state = load_file(shared_data / "weights" / "mobilenetv1_025_imagenet.safetensors")
    module = mobilenet_v1(1000, alpha=0.25).eval()
    module.load_state_dict(state, strict=True)
    other = _gen_mobilenet_v1("mobilenetv1_100", 0.25, pad_type="same", bn_eps=1e-3).eval()
    other.load_state_dict(state)
    for photo in photos.values():
        images = torch.from_numpy(photo[100:324, 200:424]).permute(2, 0, 1)[None] / 127.5 - 1
        torch.testing.assert_close(module(images), other(images))


@pytest.mark.parametrize(("alpha", "width_divisor", "stem", "last"), [(0.35, 1, 11, 358), (0.35, 2, 5, 179)])
def test_alpha_rounds_down_and_then_the_divisor(alpha, width_divisor, stem, last):
    module = mobilenet_v1(5, alpha=alpha, width_divisor=width_divisor)
    assert (module.conv_stem.out_channels, module.classifier.in_features) == (stem, last)
