import copy

import pytest
import timm
import torch
from torch import nn

from vernier.errors import ModelError
from vernier.models.freeze import count_parameters, freeze, set_training_mode
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
    freeze(module, ("0.*", "1.1.*"))
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
    freeze(module, ("stem", "stage[12].*", "*.norm?.bias"))
    assert "stage3.0.conv1.weight" in trainable(module)
    assert not any(name.startswith(("stem.", "stage1.", "stage2.")) for name in trainable(module))
    assert "stage3.0.norm1.bias" not in trainable(module)


def test_a_pattern_that_matches_nothing_is_an_error_with_a_suggestion():
    with pytest.raises(ModelError, match=r"model\.frozen: 'stage_1\.\*' matches no parameter.*stage1\.\*.*stem"):
        freeze(resnet20_cifar(5), ("stage_1.*",))


def test_nothing_left_to_train_is_an_error():
    with pytest.raises(ModelError, match=r"model\.frozen=\['\*'\] freezes every parameter"):
        freeze(resnet20_cifar(5), ("*",))
