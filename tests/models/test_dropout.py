"""The dropout that a network has before its classifier, set by `model.dropout`."""

import pytest
import timm
import torch
import torchvision
from torch import nn

from vernier.errors import ModelError
from vernier.models.architecture import Architecture
from vernier.models.dropout import fit_dropout
from vernier.models.from_timm import TimmProvider
from vernier.models.from_torchvision import TorchvisionProvider


def dropouts(module):
    return {name: layer.p for name, layer in module.named_modules() if isinstance(layer, nn.Dropout)}


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("vgg11", ["classifier.2", "classifier.5"]),
        ("alexnet", ["classifier.0", "classifier.3"]),
        ("squeezenet1_1", ["classifier.0"]),
        ("googlenet", ["dropout"]),
        ("inception_v3", ["dropout"]),
        ("mobilenet_v3_small", ["classifier.2"]),
        ("efficientnet_b0", ["classifier.0"]),
    ],
)
def test_torchvisions_own_dropout_is_set_and_no_other(name, names):
    with torch.device("meta"):
        module = TorchvisionProvider().build(described("torchvision", name), pretrained=False)
    assert [name for name, p in dropouts(module).items() if p == 0.35] == names


@pytest.mark.parametrize("name", ["resnet18", "densenet121", "swin_t", "vit_b_32", "convnext_tiny", "regnet_y_400mf"])
def test_a_network_without_one_is_refused_with_the_recipe_as_remedy(name):
    with torch.device("cpu" if name.startswith("regnet") else "meta"):
        module = torchvision.models.get_model(name, weights=None, num_classes=4)
    with pytest.raises(ModelError, match=r"model\.dropout=0\.35: .* model\.head=\[dropout: 0\.35\]"):
        fit_dropout(module, 0.35)


@pytest.mark.parametrize(
    "name",
    ["resnet10t", "densenet121", "vit_tiny_patch16_224", "deit_tiny_distilled_patch16_224", "mobilenetv3_small_100"],
)
def test_timms_dropout_reaches_the_classifier_in_training_alone(name):
    """Two passes in training mode differ, by the dropout and nothing else."""
    torch.manual_seed(0)
    shallow = {"depth": 1} if "patch16" in name else {}
    module = TimmProvider().build(described("timm", name, kwargs=shallow), pretrained=False)
    images = torch.randn(1, 3, 32, 32)
    module.eval()
    assert torch.equal(module(images), module(images))
    module.train()
    for child in module.modules():
        if isinstance(child, nn.BatchNorm2d):
            child.eval()
    assert not torch.equal(module(images), module(images))


def test_timms_networks_have_none_by_default():
    module = timm.create_model("resnet10t")
    assert module.drop_rate == 0


def described(provider, name, **fields):
    values = {"kwargs": {}, "dropout": 0.35, **fields}
    return Architecture(provider, name, num_outputs=4, channels=3, input_size=(32, 32), **values)
