import copy

import pytest
import torch
from torch import nn

from vernier.config.optimizer import AdamWConfig, SGDConfig
from vernier.models.zoo import resnet20_cifar
from vernier.optim.optimizers import make_optimizer, parameter_groups


def small_net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 5))


def train(module, optimizer, steps):
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        images = torch.randn(4, 3, 8, 8, generator=generator).contiguous(memory_format=torch.channels_last)
        optimizer.zero_grad()
        module(images).square().mean().backward()
        optimizer.step()
    return module


def test_norms_and_biases_are_not_decayed_unless_asked():
    module = resnet20_cifar(10)
    decayed, plain = parameter_groups(list(module.parameters()), SGDConfig(weight_decay=0.1))
    assert decayed["weight_decay"] == 0.1
    assert plain["weight_decay"] == 0.0
    assert {parameter.ndim for parameter in decayed["params"]} == {2, 4}
    assert {parameter.ndim for parameter in plain["params"]} == {1}
    (everything,) = parameter_groups(list(module.parameters()), SGDConfig(weight_decay=0.1, decay_norm_and_bias=True))
    assert len(everything["params"]) == len(decayed["params"]) + len(plain["params"])


def test_frozen_parameters_are_left_out_and_no_group_is_empty():
    module = small_net()
    for parameter in module[:4].parameters():
        parameter.requires_grad_(False)
    module[4].bias.requires_grad_(False)
    (group,) = make_optimizer(module, SGDConfig()).param_groups
    assert len(group["params"]) == 1
    assert group["params"][0] is module[4].weight


@pytest.mark.parametrize(
    ("config", "reference"),
    [
        (SGDConfig(lr=0.1, decay_norm_and_bias=True), lambda p: torch.optim.SGD(p, 0.1, 0.9, 0, 1e-4, nesterov=True)),
        (AdamWConfig(lr=0.01, decay_norm_and_bias=True), lambda p: torch.optim.AdamW(p, 0.01, weight_decay=0.01)),
    ],
)
def test_steps_are_those_of_torchs_plain_loop(config, reference):
    ours, theirs = small_net(), small_net()
    train(ours, make_optimizer(ours, config), 5)
    train(theirs, reference(theirs.parameters()), 5)
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))


@pytest.mark.parametrize("config", [SGDConfig(lr=0.1), AdamWConfig(lr=0.01)])
def test_state_restored_in_another_memory_format_goes_on_bit_identically(config):
    module = small_net().to(memory_format=torch.channels_last)
    optimizer = make_optimizer(module, config)
    train(module, optimizer, 3)
    twin = copy.deepcopy(module)
    state = optimizer.state_dict()
    for entry in state["state"].values():
        for key, value in entry.items():
            if isinstance(value, torch.Tensor):
                entry[key] = value.clone(memory_format=torch.contiguous_format)
    restored = make_optimizer(twin, config)
    restored.load_state_dict(copy.deepcopy(state))
    train(module, optimizer, 3)
    train(twin, restored, 3)
    assert all(torch.equal(a, b) for a, b in zip(module.parameters(), twin.parameters(), strict=True))


def test_sgd_without_momentum_works_with_the_default_nesterov():
    optimizer = make_optimizer(small_net(), SGDConfig(momentum=0.0))
    assert optimizer.param_groups[0]["nesterov"] is False
