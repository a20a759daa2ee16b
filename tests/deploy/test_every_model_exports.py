"""Every network that the documentation names: exported, with the same answers for batches of one and three."""

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from vernier.config.model import ModelConfig
from vernier.config.quantize import QuantizeConfig
from vernier.deploy.export.network import export_network
from vernier.models.catalog import find_rows
from vernier.models.providers import build_model, make_architecture
from vernier.models.settle import settle_model

FAST = [({"name": "digits_cnn"}, 8, 1)]
SLOW = [
    ({"name": "stmnist"}, 28, 1),
    ({"name": "resnet", "version": "v1", "depth": 8}, 32, 3),
    *(({"name": f"EfficientNetB{number}"}, 64, 3) for number in (0, 3)),
    *(({"name": name}, 64, 3) for name in ("AlexNet", "NASNetMobile", "TinyDarknet", "VGG16", "custom")),
    *(({"name": f"ResNet{depth}"}, 32, 3) for depth in (18, 34, 101)),
    ({"name": "ResNet50NCHW"}, 32, 3),
    ({"name": "ResNet20CIFAR"}, 32, 3),
    ({"name": "MobileNetV2"}, 32, 3),
    ({"name": "NASNetCIFAR"}, 16, 3),
    ({"name": "SqueezeNet"}, 48, 3),
    ({"name": "WideResNet40_2"}, 16, 3),
    ({"name": "MobileNetV3Large"}, 32, 3),
    ({"name": "MobileNetV3Small"}, 32, 4),
    *(({"name": "mobilenet", "version": version, "alpha": 0.5}, 32, 3) for version in ("v1", "v2")),
    ({"name": "fdmobilenet", "alpha": 0.25}, 32, 3),
    ({"name": "st_fdmobilenet", "version": "v1"}, 32, 3),
    ({"name": "squeezenet", "version": "v11"}, 48, 1),
    ({"name": "st_efficientnet_lc", "version": "v1"}, 32, 3),
    ({"name": "resnet18", "depth": 10}, 32, 3),
    ({"name": "resnet18", "provider": "torchvision", "width_divisor": 3}, 32, 3),
    ({"name": "vit_tiny_patch16_224"}, 224, 3),
    ({"name": "swin_tiny_patch4_window7_224"}, 224, 3),
    ({"name": "convnext_atto"}, 64, 3),
    ({"name": "resnet20_cifar", "width_divisor": 2, "algebra": {"name": "quaternion"}}, 16, 3),
    ({"name": "mobilenetv2_050", "algebra": {"name": "complex", "input": "learned", "output": "norm"}}, 32, 3),
    ({"name": "resnet18", "head": [{"name": "batchnorm"}, {"name": "linear", "features": 8}]}, 32, 3),
]
SLOW += [
    *(({"name": f"EfficientNetB{number}"}, 64, 3) for number in (1, 2, 4, 5, 6, 7)),
    ({"name": "ResNet152"}, 32, 3),
    *(({"name": f"resnet{depth}_cifar"}, 16, 3) for depth in (32, 44, 56)),
    ({"name": "resnet_cifar", "depth": 14}, 16, 3),
    *(({"name": f"st_resnet{depth}"}, 32, 3) for depth in (20, 32)),
    ({"name": "st_resnet", "depth": 8}, 32, 3),
    ({"name": "nasnet_large"}, 64, 3),
    ({"name": "wide_resnet"}, 16, 3),
    ({"name": "wide_resnet28_10"}, 16, 3),
]
CASES = [*FAST, *(pytest.param(*case, marks=pytest.mark.slow) for case in SLOW)]


def test_every_network_of_the_zoo_is_among_them():
    zoo = {row.name for row in find_rows("*", "zoo")}
    cases = [case[0] for case in [*FAST, *SLOW]]
    assert zoo <= {settle_model(ModelConfig.model_validate(case))[0].name for case in cases}


def build(model, size, channels):
    """With statistics that BatchNorm can't ignore."""
    torch.manual_seed(0)
    settled, _ = settle_model(ModelConfig.model_validate(model))
    module = build_model(make_architecture(settled, num_outputs=3, channels=channels, input_size=(size, size)))
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d) and layer.running_mean is not None:
            nn.init.normal_(layer.running_mean, std=0.1)
            nn.init.uniform_(layer.running_var, 0.8, 1.25)
    return module.eval()


def run(model, images):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(["logits"], {"input": images})[0]


@pytest.mark.parametrize(("model", "size", "channels"), CASES, ids=str)
def test_exports_and_quantizes(model, size, channels):
    module = build(model, size, channels)
    network = export_network(module, channels, (size, size), opset=18, batch_size=None)
    for count in (1, 3):
        images = torch.randn(count, channels, size, size)
        with torch.no_grad():
            expected = module(images).numpy()
        scale = max(1.0, float(np.abs(expected).max()))
        np.testing.assert_allclose(run(network, images.numpy()) / scale, expected / scale, atol=1e-4)
    assert not any(node.op_type in ("Constant", "Identity") for node in network.graph.node)
    quantize = pytest.importorskip("vernier.deploy.quantize.static").quantize_network
    batches = [np.random.default_rng(n).standard_normal((2, channels, size, size), np.float32) for n in range(2)]
    quantized = quantize(network, lambda: iter(batches), QuantizeConfig())
    assert np.isfinite(run(quantized.model, batches[0])).all()
