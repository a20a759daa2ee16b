"""Blocks and their depths, against timm's own groups and by hand."""

import pytest
import timm
import torch
import torchvision
from timm.models import group_parameters
from torch import nn

from vernier.config.optimizer import MuonConfig, SGDConfig
from vernier.models.zoo import digits_cnn, mobilenet_v1, resnet20_cifar
from vernier.optim.groups import parameter_groups
from vernier.optim.layer_decay import block_depths


def on_meta(build, *args, **kwargs):
    with torch.device("meta"):
        return build(*args, **kwargs)


def blocks(module):
    """Names of the parameters of each block, by depth."""
    found = {}
    for name, depth in block_depths(module).items():
        found.setdefault(depth, []).append(name)
    assert sorted(found) == list(range(len(found)))
    return [found[depth] for depth in sorted(found)]


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "resnet18", "efficientnet_b0", "convnext_atto"])
def test_timms_networks_have_timms_groups(name):
    module = on_meta(timm.create_model, name)
    assert block_depths(module) == group_parameters(module, module.group_matcher(coarse=False), reverse=True)


def test_the_rule_finds_the_blocks_that_timm_names():
    """The same architectures in torchvision: the stem, every residual or transformer block, the head."""
    assert len(blocks(on_meta(torchvision.models.resnet18))) == 10
    assert len(blocks(on_meta(torchvision.models.vit_b_16))) == 14


def test_a_vision_transformer_by_hand():
    first, *middle, last = blocks(on_meta(torchvision.models.vit_b_16))
    assert first == ["class_token", "conv_proj.weight", "conv_proj.bias", "encoder.pos_embedding"]
    assert last == ["heads.head.weight", "heads.head.bias"]
    assert middle[-1][-2:] == ["encoder.ln.weight", "encoder.ln.bias"]
    assert all(name.startswith("encoder.layers.encoder_layer_3.") for name in middle[3])


def test_the_zoo_by_hand():
    first, *middle, last = blocks(resnet20_cifar(10))
    assert first == ["stem.weight", "norm.weight", "norm.bias"]
    assert len(middle) == 9
    assert all(name.startswith("stage2.0.") for name in middle[3])
    assert last == ["head.weight", "head.bias"]
    assert len(blocks(mobilenet_v1(10))) == 15
    assert len(blocks(digits_cnn(10))) == 5


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("vgg11", 11),
        ("mobilenet_v2", 20),
        ("swin_t", 17),
        ("densenet121", 63),
        ("squeezenet1_0", 10),
        ("convnext_tiny", 23),
    ],
)
def test_torchvisions_networks_have_as_many_blocks_as_they_are_built_of(name, count):
    assert len(blocks(on_meta(torchvision.models.get_model, name))) == count


def test_what_wraps_a_network_changes_no_block():
    class Wrapper(nn.Module):
        def __init__(self):
            super().__init__()
            self.network = resnet20_cifar(10)

    inner = block_depths(resnet20_cifar(10))
    assert block_depths(Wrapper()) == {f"network.{name}": depth for name, depth in inner.items()}


def test_learning_rates_fall_from_the_head_down():
    module = resnet20_cifar(10)
    config = SGDConfig(lr=0.2, layer_decay=0.5)
    rates = {id(p): group["lr"] for group in parameter_groups(module, config) for p in group["params"]}
    assert rates[id(module.head.weight)] == rates[id(module.head.bias)] == 0.2
    assert rates[id(module.stage3[2].conv1.weight)] == 0.1
    assert rates[id(module.stage1[0].conv1.weight)] == 0.2 * 0.5**9
    assert rates[id(module.stem.weight)] == rates[id(module.norm.bias)] == 0.2 * 0.5**10


def test_layer_decay_and_muons_adamw_multiply():
    module = resnet20_cifar(10)
    config = MuonConfig(lr=1.0, layer_decay=0.5, adamw_lr_factor=0.25)
    rates = {id(p): group["lr"] for group in parameter_groups(module, config) for p in group["params"]}
    assert rates[id(module.head.weight)] == 0.25
    assert rates[id(module.stage3[2].conv1.weight)] == 0.5
    assert rates[id(module.stage3[2].norm1.weight)] == 0.125
