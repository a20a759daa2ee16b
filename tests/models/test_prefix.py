"""Cutting networks in two: the parts give what the whole gives, and what can't be cut says why."""

import copy
import re

import pytest
import timm
import torch
import torch.nn.functional as F
import torchvision
from torch import nn

from vernier.config.head import DropoutLayer
from vernier.models.freeze import freeze, set_training_mode
from vernier.models.head import insert_head_layers
from vernier.models.prefix import NoPrefix, SplitModel, split_model
from vernier.models.zoo import ZOO

IMAGES = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def cut(model: nn.Module, frozen="backbone", freeze_batchnorm: bool = False) -> SplitModel:
    freeze(model, frozen)
    split = split_model(model, IMAGES, freeze_batchnorm)
    assert isinstance(split, SplitModel), split
    return split


def refusal(model: nn.Module, frozen) -> str:
    freeze(model, frozen)
    split = split_model(model, IMAGES, False)
    assert isinstance(split, NoPrefix)
    return split.reason


def trained(model: nn.Module) -> set[int]:
    return {id(parameter) for parameter in model.parameters() if parameter.requires_grad}


MODELS = {
    "digits_cnn": lambda: ZOO["digits_cnn"](4, 3, 0.2),
    "resnet20_cifar": lambda: ZOO["resnet20_cifar"](4, 3, 0.2),
    "mobilenetv2_035": lambda: timm.create_model("mobilenetv2_035", num_classes=4, drop_rate=0.2),
    "resnet10t": lambda: timm.create_model("resnet10t", num_classes=4, drop_path_rate=0.3),
    "regnetx_002": lambda: timm.create_model("regnetx_002", num_classes=4),
    "mobilenetv3_small_050": lambda: timm.create_model("mobilenetv3_small_050", num_classes=4),
    "torchvision resnet18": lambda: torchvision.models.resnet18(num_classes=4),
    "torchvision mobilenet_v2": lambda: torchvision.models.mobilenet_v2(num_classes=4),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_frozen_backbone_is_cut_after_its_pooling_and_the_parts_give_the_whole(name):
    torch.manual_seed(0)
    model = MODELS[name]()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    split = cut(model)
    assert split.example.ndim == 2
    assert split.frozen_share > 0.99
    assert {id(parameter) for parameter in split.suffix.parameters() if parameter.requires_grad} == trained(model)
    model.eval()
    with torch.no_grad():
        torch.testing.assert_close(split.suffix(split.prefix(IMAGES)), model(IMAGES), rtol=1e-5, atol=1e-6)
    after = model.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[key], before[key]) for key in before)


@pytest.mark.parametrize("name", ["digits_cnn", "mobilenetv2_035", "resnet10t", "torchvision mobilenet_v2"])
def test_training_the_suffix_is_training_the_whole(name):
    """With the same seed the same dropout is drawn, so gradients agree."""
    torch.manual_seed(0)
    model = MODELS[name]()
    split = cut(model)
    set_training_mode(model, False)
    with torch.no_grad():
        features = split.prefix(IMAGES)
    gradients = []
    for part, inputs in ((model, IMAGES), (split.suffix, features)):
        model.zero_grad()
        torch.manual_seed(1)
        part(inputs).square().sum().backward()
        gradients.append([parameter.grad.clone() for parameter in model.parameters() if parameter.requires_grad])
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "model",
    [
        lambda: ZOO["digits_cnn"](4, 3, 0.5),
        lambda: timm.create_model("mobilenetv2_035", num_classes=4, drop_rate=0.5),
        lambda: _with_dropout(timm.create_model("resnet10t", num_classes=4)),
    ],
    ids=["module", "function of the mode", "inside the head"],
)
def test_dropout_of_the_head_is_active_in_training_alone(model):
    torch.manual_seed(0)
    net = model()
    split = cut(net)
    with torch.no_grad():
        features = split.prefix(IMAGES)
        assert not torch.equal(split.suffix(features), split.suffix(features))
        net.eval()
        assert torch.equal(split.suffix(features), split.suffix(features))
        set_training_mode(net, False)
        split.suffix.eval()
        assert torch.equal(split.suffix(features), split.suffix(features))


def _with_dropout(net: nn.Module) -> nn.Module:
    insert_head_layers(net, (DropoutLayer(p=0.5),))
    return net


def test_a_backbone_frozen_up_to_a_stage_is_cut_there():
    torch.manual_seed(0)
    model = timm.create_model("resnet10t", num_classes=4)
    split = cut(model, ("conv1", "bn1", "layer1", "layer2"))
    assert split.example.shape == (1, 128, 4, 4)
    assert 0 < split.frozen_share < 1
    names = {name for name, parameter in model.named_parameters() if id(parameter) in trained(split.suffix)}
    assert {name.partition(".")[0] for name in names} == {"layer3", "layer4", "fc"}


def test_frozen_layers_after_trained_ones_stay_in_the_suffix():
    model = ZOO["resnet20_cifar"](4, 3)
    split = cut(model, ("stem", "norm", "stage1", "stage3"))
    assert split.example.shape == (1, 16, 32, 32)
    frozen = {id(parameter) for parameter in model.stage3.parameters()}
    assert frozen <= {id(parameter) for parameter in split.suffix.parameters()}


def test_frozen_in_the_middle_is_refused_with_what_trains_before_it():
    assert "stem trains" in refusal(ZOO["resnet20_cifar"](4, 3), ("stage2",))
    assert "nothing is frozen" in refusal(ZOO["resnet20_cifar"](4, 3), None)


class NormsFirst(nn.Module):
    """BatchNorm without weights: nothing in it can be frozen."""

    def __init__(self) -> None:
        super().__init__()
        self.statistics = nn.BatchNorm2d(3, affine=False)
        self.conv = nn.Conv2d(3, 8, 3)
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        return self.head(self.conv(self.statistics(x)).mean((2, 3)))


def test_batchnorm_in_train_mode_is_refused_unless_it_is_in_eval_mode():
    model = NormsFirst()
    before = copy.deepcopy(model.state_dict())
    assert "BatchNorm in statistics is in train mode" in refusal(model, ("conv",))
    assert cut(model, ("conv",), freeze_batchnorm=True).example.shape == (1, 8)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


class Untraceable(nn.Module):
    """Decides by the values of a tensor."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.body = nn.Conv2d(3, 8, 3)
        self.dropout = nn.Dropout(dropout)
        self.extra = nn.Parameter(torch.zeros(8))
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        x = self.body(x).mean((2, 3)) + self.extra
        if x.sum() > 0:
            x = x + 1
        return self.head(self.dropout(x))


def test_what_cannot_be_traced_is_cut_before_its_head():
    torch.manual_seed(0)
    model = Untraceable()
    split = cut(model)
    assert split.suffix is model.head
    assert split.example.shape == (1, 8)


@pytest.mark.parametrize(
    ("model", "frozen", "reason"),
    [
        (lambda: Untraceable(0.5), "backbone", "dropout is in train mode before the head"),
        (Untraceable, ("body",), "can't trace the network .* extra trains besides the head"),
    ],
)
def test_what_cannot_be_cut_before_its_head_says_why(model, frozen, reason):
    assert re.search(reason, refusal(model(), frozen))


class Draws(nn.Module):
    """Draws in its own way, before its frozen layers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        if self.training:
            x = x + torch.randn_like(x)
        return self.head(F.dropout(self.conv(x), 0.5, self.training).mean((2, 3)))


def test_code_that_does_something_else_in_training_is_not_in_the_prefix():
    assert "drawn at random" in refusal(Draws(), "backbone")


class Skips(nn.Module):
    """Two tensors go around the trained layer."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 8, 3), nn.Conv2d(3, 8, 3)
        self.mixes = nn.Conv2d(8, 8, 1)
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        return self.head((self.mixes(self.one(x)) * self.two(x)).mean((2, 3)))


def test_two_tensors_that_leave_the_frozen_part_are_refused():
    assert "more than one tensor" in refusal(Skips(), ("one", "two"))
