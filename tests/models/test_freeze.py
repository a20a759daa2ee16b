import copy

import pytest
import timm
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from vernier.config.head import BatchNormLayer, LinearLayer
from vernier.errors import ModelError
from vernier.models.freeze import count_parameters, freeze, set_training_mode, unfreeze
from vernier.models.head import insert_head_layers
from vernier.models.layers import parametered_layers
from vernier.models.zoo import resnet20_cifar


def trainable(module):
    return {name for name, parameter in module.named_parameters() if parameter.requires_grad}


def one_step(module):
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=0.1)
    module(torch.randn(4, 3, 32, 32)).square().mean().backward()
    optimizer.step()


def test_backbone_leaves_the_head():
    module = resnet20_cifar(5)
    freeze(module, "backbone")
    assert trainable(module) == {"head.weight", "head.bias"}
    assert count_parameters(module) == (269_722 - 5 * 65, 5 * 65)


def test_a_step_on_the_head_changes_nothing_else():
    torch.manual_seed(0)
    module = timm.create_model("mobilenetv2_050", num_classes=3, drop_rate=0.2)
    freeze(module, "backbone")
    before = copy.deepcopy(module.state_dict())
    set_training_mode(module, freeze_batchnorm=False)
    one_step(module)
    changed = {name for name, value in module.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"classifier.weight", "classifier.bias"}


def test_frozen_parts_run_in_eval_mode_with_their_dropout_and_the_rest_trains():
    module = nn.Sequential(
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5)),
        nn.Sequential(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4)),
        nn.Dropout(0.5),
        nn.Linear(4, 2),
    )
    freeze(module, (r"0\..*", r"1\.1"))
    set_training_mode(module, freeze_batchnorm=False)
    assert not any(child.training for child in module[0].modules())
    assert module.training
    assert module[1].training
    assert module[1][0].training
    assert not module[1][1].training
    assert module[2].training
    assert module[3].training


def test_batchnorm_kept_in_eval_mode_still_trains_its_weights():
    torch.manual_seed(0)
    module = timm.create_model("mobilenetv2_050", num_classes=3)
    before = copy.deepcopy(module.state_dict())
    set_training_mode(module, freeze_batchnorm=True)
    one_step(module)
    changed = {name for name, value in module.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {name for name, _ in module.named_parameters()}


def test_everything_trains_again_without_frozen():
    module = resnet20_cifar(5)
    freeze(module, "backbone")
    freeze(module, None)
    set_training_mode(module, freeze_batchnorm=False)
    assert len(trainable(module)) == len(list(module.parameters()))
    assert all(child.training for child in module.modules())


def test_patterns_and_module_names():
    module = resnet20_cifar(5)
    freeze(module, ("stem", "stage[12]", r".*\.norm\d\.bias"))
    assert "stage3.0.conv1.weight" in trainable(module)
    assert not any(name.startswith(("stem.", "stage1.", "stage2.")) for name in trainable(module))
    assert "stage3.0.norm1.bias" not in trainable(module)


def test_an_expression_matches_the_whole_name_of_a_layer_and_covers_its_children():
    module = nn.ModuleDict({"layer1": nn.Linear(2, 2), "layer10": nn.Linear(2, 2), "head": nn.Linear(2, 2)})
    freeze(module, ("layer1",))
    assert trainable(module) == {"layer10.weight", "layer10.bias", "head.weight", "head.bias"}


def test_a_pattern_that_matches_nothing_is_an_error_with_a_suggestion():
    with pytest.raises(ModelError, match=r"model\.frozen: 'stage_1' matches no layer.*stage1.*stem"):
        freeze(resnet20_cifar(5), ("stage_1",))


def test_what_is_no_regular_expression_is_an_error():
    with pytest.raises(ModelError, match=r"model\.frozen: '\*\.bias' is no regular expression.*`\.\*`"):
        freeze(resnet20_cifar(5), ("*.bias",))


def test_nothing_left_to_train_is_an_error():
    with pytest.raises(ModelError, match=r"model\.frozen=\['\.\*'\] freezes every parameter"):
        freeze(resnet20_cifar(5), (".*",))


def frozen_layers(module):
    layers = parametered_layers(module)
    return [index for index, layer in enumerate(layers) if not any(p.requires_grad for p in layer.parameters.values())]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("(0:-1)", lambda n: range(n - 1)),
        ("0:-1", lambda n: range(n - 1)),
        ("(8, 10:14, -2)", lambda n: [8, 10, 11, 12, 13, n - 2]),
        ("(0::2)", lambda n: range(0, n, 2)),
        ("-2", lambda n: [n - 2]),
        ("(5:)", lambda n: range(5, n)),
        ("( :3 )", lambda n: range(3)),
        ("(4:-100:-1)", lambda n: range(5)),
    ],
)
def test_indices_are_pythons(spec, expected):
    module = resnet20_cifar(5)
    freeze(module, (spec,))
    assert frozen_layers(module) == sorted(expected(len(parametered_layers(module))))


@given(
    start=st.none() | st.integers(-50, 50),
    stop=st.none() | st.integers(-50, 50),
    step=st.none() | st.integers(-3, 3).filter(bool),
)
@settings(max_examples=60, deadline=None)
def test_any_slice_selects_what_python_selects(start, stop, step):
    module = nn.Sequential(*(nn.Linear(1, 1) for _ in range(7)))
    spec = ":".join("" if part is None else str(part) for part in (start, stop, step))
    wanted = sorted(range(7)[slice(start, stop, step)])
    if 0 < len(wanted) < 7:
        freeze(module, (spec,))
        assert frozen_layers(module) == wanted
    else:
        with pytest.raises(ModelError, match=r"model\.frozen="):
            freeze(module, (spec,))


@pytest.mark.parametrize("spec", ["(99)", "(0, -99)", "(50:60)", "(1:2:0)", "(1-2)", "(1:2:3:4)", "(1,,2)", "(0:-1"])
def test_indices_that_are_not_there_are_errors(spec):
    with pytest.raises(ModelError, match=r"model\.frozen=\("):
        freeze(resnet20_cifar(5), (spec,))


@pytest.mark.parametrize(
    "name",
    ["squeezenet1_1", "densenet121", "vgg11", "mobilenet_v3_small", "shufflenet_v2_x0_5"],
)
def test_all_but_the_last_leaves_the_classifier_of_torchvisions_networks(name):
    with torch.device("meta"):
        module = torchvision.models.get_model(name, weights=None, num_classes=7)
    freeze(module, ("(0:-1)",))
    sizes = {parameter.shape[0] for parameter in module.parameters() if parameter.requires_grad}
    assert sizes == {7}


@pytest.mark.parametrize(
    "name", ["resnet18", "vit_tiny_patch16_224", "mobilenetv3_small_050", "convnext_atto", "deit_tiny_patch16_224"]
)
def test_all_but_the_last_leaves_the_classifier_of_timms_networks(name):
    with torch.device("meta"):
        module = timm.create_model(name, num_classes=7)
    freeze(module, ("(0:-1)",))
    sizes = {parameter.shape[0] for parameter in module.parameters() if parameter.requires_grad}
    assert sizes == {7}


def test_every_parameter_belongs_to_one_layer():
    with torch.device("meta"):
        module = timm.create_model("vit_tiny_patch16_224")
    names = [name for layer in parametered_layers(module) for name in layer.parameters]
    assert sorted(names) == sorted(name for name, _ in module.named_parameters())


def test_with_layers_before_the_classifier_backbone_leaves_them_and_the_last_index_is_the_classifier():
    module = resnet20_cifar(5)
    insert_head_layers(module, (LinearLayer(features=9), BatchNormLayer()))
    freeze(module, "backbone")
    assert {name.partition(".")[0] for name in trainable(module)} == {"head"}
    assert len(trainable(module)) == 6
    freeze(module, ("0:-1",))
    assert [tuple(p.shape) for p in module.parameters() if p.requires_grad] == [(5, 9), (5,)]


def test_unfreezing_gives_back_what_was_frozen():
    module = resnet20_cifar(5)
    freeze(module, "backbone")
    found = unfreeze(module, ("stage3",))
    assert {id(p) for p in found} == {id(p) for p in module.stage3.parameters()}
    assert {name.partition(".")[0] for name in trainable(module)} == {"head", "stage3"}
    with pytest.raises(ModelError, match=r"none of these layers is frozen"):
        unfreeze(module, ("stage3", "head"))
    unfreeze(module, "all")
    assert len(trainable(module)) == len(list(module.parameters()))
    with pytest.raises(ModelError, match=r"train\.unfreeze\.layers=all: none"):
        unfreeze(module, "all")
