"""Every network that the documentation names: built, trained for two steps, saved, and loaded to equal outputs."""

import pytest
import torch
from torch.nn import functional as F

from vernier.config.model import ModelConfig
from vernier.models.bundle import BundleInfo, load_bundle, save_bundle
from vernier.models.freeze import set_training_mode
from vernier.models.providers import build_model, make_architecture
from vernier.models.settle import settle_model

SMALL = [
    ({"name": "EfficientNetB0"}, 32, 3),
    ({"name": "ResNet18"}, 32, 3),
    ({"name": "ResNet50NCHW"}, 32, 3),
    ({"name": "ResNet20CIFAR"}, 32, 3),
    ({"name": "ResNet32CIFAR"}, 17, 3),
    ({"name": "MobileNetV2"}, 32, 3),
    ({"name": "NASNetCIFAR"}, 16, 3),
    ({"name": "NASNetMobile"}, 64, 3),
    ({"name": "SqueezeNet"}, 48, 3),
    ({"name": "TinyDarknet"}, 64, 3),
    ({"name": "WideResNet40_2"}, 16, 3),
    ({"name": "MobileNetV3Large"}, 32, 3),
    ({"name": "MobileNetV3Small"}, 32, 4),
    ({"name": "digits_cnn"}, 8, 1),
    ({"name": "mobilenet", "version": "v1", "alpha": 0.25}, 32, 3),
    ({"name": "mobilenet", "version": "v2", "alpha": 0.35}, 32, 3),
    ({"name": "fdmobilenet", "alpha": 0.25}, 32, 1),
    ({"name": "st_fdmobilenet", "version": "v1"}, 32, 3),
    ({"name": "resnet", "version": "v1", "depth": 8}, 32, 3),
    ({"name": "squeezenet", "version": "v11"}, 48, 1),
    ({"name": "stmnist"}, 28, 1),
    ({"name": "st_efficientnet_lc", "version": "v1"}, 32, 3),
    ({"name": "custom"}, 64, 3),
    ({"name": "resnet18", "depth": 10}, 32, 3),
    ({"name": "mobilenet_v2", "depth": 9}, 32, 3),
    ({"name": "resnet_cifar", "depth": 14}, 16, 3),
    ({"name": "resnet18", "provider": "torchvision", "width_divisor": 3}, 32, 3),
    ({"name": "resnet20_cifar", "width_divisor": 2, "algebra": {"name": "quaternion"}}, 16, 3),
    ({"name": "mobilenetv2_050", "algebra": {"name": "complex", "input": "learned", "output": "norm"}}, 32, 3),
    ({"name": "resnet18", "head": [{"name": "batchnorm"}, {"name": "linear", "features": 8}]}, 32, 3),
]
MORE = [
    ({"name": "AlexNet"}, 64, 3),
    ({"name": "ResNet34"}, 32, 1),
    ({"name": "resnet44_cifar"}, 16, 1),
    ({"name": "resnet56_cifar"}, 16, 3),
    *(({"name": "mobilenet", "version": "v1", "alpha": alpha}, 32, 3) for alpha in (0.5, 0.75, 1.0)),
    *(({"name": "mobilenet", "version": "v2", "alpha": alpha}, 32, 3) for alpha in (0.5, 0.75, 1.0, 1.3, 1.4)),
    *(({"name": "fdmobilenet", "alpha": alpha}, 32, 3) for alpha in (0.25, 0.5, 0.75, 1.0)),
    *(({"name": "resnet", "version": "v1", "depth": depth}, 32, 3) for depth in (20, 32)),
    *(({"name": f"EfficientNetB{number}"}, 64, 3) for number in range(1, 8)),
    ({"name": "ResNet101"}, 64, 3),
    ({"name": "ResNet152"}, 64, 3),
    ({"name": "NASNetLarge"}, 64, 3),
    ({"name": "VGG16"}, 64, 3),
    ({"name": "WideResNet28_10"}, 32, 3),
    ({"name": "VGG16", "algebra": {"name": "complex"}, "width_divisor": 4}, 64, 3),
]
CASES = [*SMALL, *(pytest.param(*case, marks=pytest.mark.slow) for case in MORE)]


def train_two_steps(module, images, targets):
    before = {name: parameter.detach().clone() for name, parameter in module.named_parameters()}
    optimizer = torch.optim.SGD(module.parameters(), lr=0.01)
    set_training_mode(module, freeze_batchnorm=False)
    for _ in range(2):
        loss = F.cross_entropy(module(images), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.isfinite()
    moved = [name for name, parameter in module.named_parameters() if not torch.equal(parameter, before[name])]
    # Branches that end in a scale of 0, as timm's ResNets have them, hardly move in two steps.
    assert len(moved) > 0.7 * len(before)
    assert all(parameter.grad is not None for parameter in module.parameters())


@pytest.mark.parametrize(("model", "size", "channels"), CASES, ids=str)
def test_trains_saves_and_comes_back(model, size, channels, tmp_path):
    torch.manual_seed(0)
    settled, _ = settle_model(ModelConfig.model_validate(model))
    architecture = make_architecture(settled, num_outputs=3, channels=channels, input_size=(size, size))
    module = build_model(architecture)
    images = torch.rand(4, channels, size, size)
    with torch.no_grad():
        in_either = [module.eval()(images), module(images.contiguous(memory_format=torch.channels_last))]
    torch.testing.assert_close(*in_either, rtol=1e-4, atol=1e-4)
    train_two_steps(module, images, torch.tensor([0, 1, 2, 0]))
    info = BundleInfo(architecture, ("a", "b", "c"), "multiclass", {}, 0.5, None, {}, {})
    save_bundle(tmp_path / "final", module, info)
    loaded, read = load_bundle(tmp_path / "final")
    assert read.architecture == architecture
    with torch.no_grad():
        torch.testing.assert_close(loaded(images), module.eval()(images), rtol=0, atol=0)
