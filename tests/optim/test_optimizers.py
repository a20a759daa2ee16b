import copy

import pytest
import torch

from optim.small_networks import furthest, same_parameters, saved_and_loaded, small_net, train
from optim.updates import gradients
from vernier.config import optimizer as configs
from vernier.config.optimizer import LookaheadConfig
from vernier.errors import ConfigError
from vernier.optim.groups import parameter_groups
from vernier.optim.optimizers import check_optimizer, make_optimizer

LOOKAHEAD = LookaheadConfig(sync_period=2)
ALL = [
    configs.SGDConfig(lr=0.1),
    configs.SGDConfig(lr=0.1, momentum=0, nesterov=False),
    configs.AdamConfig(lr=0.01, weight_decay=0.1),
    configs.AdamConfig(amsgrad=True),
    configs.AMSGradConfig(),
    configs.AdamWConfig(lr=0.01),
    configs.AdamaxConfig(weight_decay=0.1),
    configs.NAdamConfig(weight_decay=0.1),
    configs.RAdamConfig(weight_decay=0.1),
    configs.AdagradConfig(initial_accumulator_value=0.1),
    configs.AdadeltaConfig(weight_decay=0.1),
    configs.RMSpropConfig(momentum=0.9, centered=True),
    configs.AdaBeliefConfig(amsgrad=True),
    configs.LAMBConfig(),
    configs.LionConfig(),
    configs.MuonConfig(),
    configs.CustomOptimizerConfig(callable="torch.optim.ASGD", weight_decay=0.1),
]
TORCH = {
    "sgd": (
        configs.SGDConfig(weight_decay=0.1),
        lambda p: torch.optim.SGD(p, 0.05, momentum=0.9, nesterov=True, weight_decay=0.1, foreach=False),
    ),
    "plain momentum": (
        configs.SGDConfig(lr=0.1, momentum=0.8, nesterov=False),
        lambda p: torch.optim.SGD(p, 0.1, momentum=0.8, weight_decay=1e-4, foreach=False),
    ),
    "adam": (
        configs.AdamConfig(weight_decay=0.1),
        lambda p: torch.optim.Adam(p, 1e-3, weight_decay=0.1, foreach=False),
    ),
    "amsgrad": (
        configs.AMSGradConfig(betas=(0.8, 0.9)),
        lambda p: torch.optim.Adam(p, 1e-3, (0.8, 0.9), amsgrad=True, foreach=False),
    ),
    "adamw": (
        configs.AdamWConfig(eps=1e-3),
        lambda p: torch.optim.AdamW(p, 1e-3, eps=1e-3, weight_decay=0.01, foreach=False),
    ),
    "adamax": (
        configs.AdamaxConfig(weight_decay=0.1),
        lambda p: torch.optim.Adamax(p, 2e-3, weight_decay=0.1, foreach=False),
    ),
    "nadam": (
        configs.NAdamConfig(weight_decay=0.1),
        lambda p: torch.optim.NAdam(p, 2e-3, weight_decay=0.1, decoupled_weight_decay=True, foreach=False),
    ),
    "nadam with l2": (
        configs.NAdamConfig(weight_decay=0.1, decoupled_weight_decay=False, momentum_decay=0.1),
        lambda p: torch.optim.NAdam(p, 2e-3, weight_decay=0.1, momentum_decay=0.1, foreach=False),
    ),
    "radam": (
        configs.RAdamConfig(weight_decay=0.1),
        lambda p: torch.optim.RAdam(p, 1e-3, weight_decay=0.1, decoupled_weight_decay=True, foreach=False),
    ),
    "adagrad": (
        configs.AdagradConfig(initial_accumulator_value=0.1, weight_decay=0.1),
        lambda p: torch.optim.Adagrad(p, 0.01, initial_accumulator_value=0.1, weight_decay=0.1, foreach=False),
    ),
    "adadelta": (
        configs.AdadeltaConfig(weight_decay=0.1),
        lambda p: torch.optim.Adadelta(p, 1.0, rho=0.95, weight_decay=0.1, foreach=False),
    ),
    "rmsprop": (
        configs.RMSpropConfig(weight_decay=0.1),
        lambda p: torch.optim.RMSprop(p, 1e-3, alpha=0.9, weight_decay=0.1, foreach=False),
    ),
    "centered rmsprop": (
        configs.RMSpropConfig(momentum=0.5, centered=True, eps=1e-3),
        lambda p: torch.optim.RMSprop(p, 1e-3, alpha=0.9, momentum=0.5, centered=True, eps=1e-3, foreach=False),
    ),
}


def label(config):
    return config.name


@pytest.mark.parametrize("kind", TORCH)
def test_twenty_steps_are_those_of_torchs_plain_loop(kind):
    config, reference = TORCH[kind]
    ours, theirs = small_net().double(), small_net().double()
    optimizers = (
        make_optimizer(ours, config.model_copy(update={"decay_norm_and_bias": True})),
        reference(theirs.parameters()),
    )
    for step in range(20):
        for module, optimizer in zip((ours, theirs), optimizers, strict=True):
            for parameter in module.parameters():
                parameter.grad = torch.from_numpy(gradients(step, parameter.shape))
            optimizer.step()
    assert furthest(ours, theirs) < 1e-12
    assert furthest(ours, small_net()) > 1e-3


@pytest.mark.parametrize("config", ALL, ids=label)
@pytest.mark.parametrize("lookahead", [None, LOOKAHEAD], ids=["plain", "lookahead"])
def test_a_restored_training_goes_on_bit_identically(config, lookahead):
    config = config.model_copy(update={"lookahead": lookahead})
    module = small_net().to(memory_format=torch.channels_last)
    optimizer = make_optimizer(module, config)
    train(module, optimizer, 5)
    twin = copy.deepcopy(module)
    restored = make_optimizer(twin, config)
    restored.load_state_dict(saved_and_loaded(optimizer.state_dict()))
    train(module, optimizer, 5, first=5)
    train(twin, restored, 5, first=5)
    assert same_parameters(module, twin)


@pytest.mark.parametrize("config", ALL, ids=label)
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
    train(module, optimizer, 3, first=3)
    train(twin, restored, 3, first=3)
    assert same_parameters(module, twin)


@pytest.mark.parametrize("config", ALL, ids=label)
def test_memory_format_changes_nothing(config):
    """Gradients given in one order, weights lying in another."""
    contiguous, last = small_net(), small_net().to(memory_format=torch.channels_last)
    for module in (contiguous, last):
        optimizer = make_optimizer(module, config)
        for step in range(3):
            generator = torch.Generator().manual_seed(step)
            for parameter in module.parameters():
                parameter.grad = torch.randn(parameter.shape, generator=generator)
            optimizer.step()
    assert furthest(contiguous, last) < 1e-6


@pytest.mark.parametrize("config", ALL, ids=label)
def test_layers_that_join_later_are_restored_too(config):
    module = small_net()
    module[0].requires_grad_(False)
    optimizer = grown(module, config, steps=2)
    twin = small_net()
    twin[0].requires_grad_(False)
    restored = grown(twin, config, steps=0)
    twin.load_state_dict(module.state_dict())
    restored.load_state_dict(saved_and_loaded(optimizer.state_dict()))
    train(module, optimizer, 3, first=5)
    train(twin, restored, 3, first=5)
    assert same_parameters(module, twin)


def grown(module, config, steps):
    """An optimizer that a layer joins after some steps."""
    optimizer = make_optimizer(module, config)
    train(module, optimizer, steps)
    module[0].requires_grad_(True)
    for group in parameter_groups(module, config, list(module[0].parameters()), 0.001):
        optimizer.add_param_group(group)
    train(module, optimizer, steps, first=steps)
    return optimizer


@pytest.mark.parametrize("config", ALL, ids=label)
def test_nothing_is_kept_where_parameters_are_before_they_move_to_a_device(config):
    assert not make_optimizer(small_net(), config).state


def test_sgd_without_momentum_works_with_the_default_nesterov():
    optimizer = make_optimizer(small_net(), configs.SGDConfig(momentum=0.0))
    assert optimizer.param_groups[0]["nesterov"] is False


@pytest.mark.parametrize("config", ALL, ids=label)
def test_every_kind_has_what_schedules_of_momentum_set(config):
    defaults = make_optimizer(small_net(), config).defaults
    without = {"adagrad", "adadelta", "custom"}
    assert config.name in without or "momentum" in defaults or "betas" in defaults


def test_a_check_finds_what_making_does():
    with pytest.raises(ConfigError, match=r"optimizer\.callable"):
        check_optimizer(small_net(), configs.CustomOptimizerConfig(callable="torch.optim.Adm"))
