from itertools import pairwise

import pytest
import timm
import torch
import torchvision
from torch import nn

from vernier.errors import ModelError
from vernier.models.depth import depth_arguments, depths
from vernier.models.zoo.resnet_cifar import resnet_cifar
from vernier.models.zoo.wide_resnet import wide_resnet


def shapes(module):
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


def timms(name, depth=None):
    with torch.device("meta"):
        return timm.create_model(name, **({} if depth is None else depth_arguments("timm", name, depth)))


def mobilenet_v2(depth=None):
    arguments = {} if depth is None else depth_arguments("torchvision", "mobilenet_v2", depth)
    with torch.device("meta"):
        return torchvision.models.mobilenet_v2(**arguments)


def weighted_layers(module):
    """All convolutions and linear layers but those of shortcuts."""
    return sum(
        isinstance(child, nn.Conv2d | nn.Linear) and "downsample" not in name for name, child in module.named_modules()
    )


def trained(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("name", "own_depth"),
    [
        ("resnet10t", 10),
        ("resnet14t", 14),
        ("resnet18", 18),
        ("resnet26", 26),
        ("resnet34d", 34),
        ("resnet50", 50),
        ("resnet152", 152),
        ("resnet200", 200),
        ("resnext50_32x4d", 50),
        ("seresnet34", 34),
        ("wide_resnet50_2", 50),
    ],
)
def test_a_networks_own_depth_gives_the_published_network(name, own_depth):
    assert own_depth in depths("timm", name)
    assert shapes(timms(name, own_depth)) == shapes(timms(name))


@pytest.mark.slow
def test_own_depth_of_every_resnet_of_timm():
    for name in timm.list_models(module="resnet"):
        if not depths("timm", name):
            continue
        published = timms(name)
        assert any(shapes(timms(name, depth)) == shapes(published) for depth in depths("timm", name)), name


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_depth_is_the_number_of_weighted_layers_and_grows(name):
    some = depths("timm", name)[:5]
    networks = [timms(name, depth) for depth in some]
    assert tuple(map(weighted_layers, networks)) == some
    assert all(shapes(smaller).items() < shapes(larger).items() for smaller, larger in pairwise(networks))


def test_the_depths_of_resnets():
    assert depths("timm", "resnet18") == tuple(range(10, 35, 2))
    assert depths("timm", "resnet34.a1_in1k") == tuple(range(10, 35, 2))
    assert depths("timm", "resnet26") == (14, 26, 38, 50, 101, 152, 200)
    assert depth_arguments("timm", "resnet18.a1_in1k", 34) == {"layers": [3, 4, 6, 3]}


@pytest.mark.parametrize(
    ("name", "other", "depth"),
    [("resnet18", "resnet34", 34), ("resnet101", "resnet50", 50), ("resnet50", "resnet26", 26)],
)
def test_one_name_gives_the_others_layout(name, other, depth):
    assert shapes(timms(name, depth)) == shapes(timms(other))


def test_mobilenet_v2_grows_to_the_published_network():
    assert depths("torchvision", "mobilenet_v2") == tuple(range(7, 18))
    networks = [mobilenet_v2(depth) for depth in range(7, 18)]
    blocks = [len(network.features) - 2 for network in networks]
    assert blocks == list(range(7, 18))
    assert shapes(networks[-1]) == shapes(mobilenet_v2())
    assert all(trained(smaller) < trained(larger) for smaller, larger in pairwise(networks))


def test_arguments_of_one_call_are_not_shared_with_the_next():
    arguments = depth_arguments("torchvision", "mobilenet_v2", 7)
    arguments["inverted_residual_setting"][0][2] = 9
    assert depth_arguments("torchvision", "mobilenet_v2", 7)["inverted_residual_setting"][0] == [1, 16, 1, 1]


@pytest.mark.parametrize(("name", "function"), [("resnet_cifar", resnet_cifar), ("wide_resnet", wide_resnet)])
def test_the_zoos_own_take_the_depths_that_are_listed(name, function):
    for depth in (depths("zoo", name)[0], depths("zoo", name)[-1]):
        with torch.device("meta"):
            function(10, **depth_arguments("zoo", name, depth))


@pytest.mark.parametrize(
    ("provider", "name"),
    [
        ("zoo", "resnet20_cifar"),
        ("timm", "mobilenetv2_100"),
        ("timm", "resnetrs50"),
        ("timm", "resnetv2_50"),
        ("timm", "resnet32ts"),
        ("timm", "vit_tiny_patch16_224"),
        ("torchvision", "resnet18"),
        ("torchvision", "vgg11"),
        ("python", "package.module:function"),
    ],
)
def test_others_come_in_one_depth(provider, name):
    assert depths(provider, name) == ()
    with pytest.raises(ModelError, match=rf"model\.depth=18: {name} \({provider}\) comes in one depth only"):
        depth_arguments(provider, name, 18)


@pytest.mark.parametrize(
    ("provider", "name", "message"),
    [
        ("timm", "resnet18", r"model\.depth=19: resnet18 \(timm\) comes in depths 10, 12, .*, 34; set one of them"),
        ("timm", "resnet50", r"in depths 14, 26, 38, 50, 101, 152, 200; set"),
        ("torchvision", "mobilenet_v2", r"model\.depth=19: mobilenet_v2 .* depths 7, 8, .*, 17; set"),
        ("torchvision", "resnet18", r"timm's .* 10, 12, .*, 34: set model\.provider=timm"),
        ("timm", "mobilenetv2_100", r"set model\.name=mobilenet_v2 with model\.provider=torchvision, .* 7, 8"),
        ("timm", "vgg11", r"leave model\.depth out$"),
    ],
)
def test_errors_say_what_is_allowed(provider, name, message):
    with pytest.raises(ModelError, match=message):
        depth_arguments(provider, name, 19)
