"""Which parameters share settings."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from optim.small_networks import small_net
from vernier.config import optimizer as configs
from vernier.config.optimizer import AdamWConfig, LAMBConfig, OptimizerGroupConfig, SGDConfig
from vernier.errors import ConfigError
from vernier.models.zoo import resnet20_cifar
from vernier.optim.groups import check_groups, parameter_groups, set_learning_rate
from vernier.optim.optimizers import make_optimizer

MODULE = resnet20_cifar(10)
KINDS = (SGDConfig, AdamWConfig, LAMBConfig, configs.MuonConfig, configs.RMSpropConfig)


def with_groups(*groups, **fields):
    return SGDConfig(groups=tuple(OptimizerGroupConfig(**group) for group in groups), **fields)


def names_by_group(module, groups):
    names = {id(parameter): name for name, parameter in module.named_parameters()}
    return [[names[id(parameter)] for parameter in group["params"]] for group in groups]


def test_norms_and_biases_are_not_decayed_unless_asked():
    decayed, plain = parameter_groups(MODULE, SGDConfig(weight_decay=0.1))
    assert decayed["weight_decay"] == 0.1
    assert plain["weight_decay"] == 0.0
    assert {parameter.ndim for parameter in decayed["params"]} == {2, 4}
    assert {parameter.ndim for parameter in plain["params"]} == {1}
    (everything,) = parameter_groups(MODULE, SGDConfig(weight_decay=0.1, decay_norm_and_bias=True))
    assert len(everything["params"]) == len(decayed["params"]) + len(plain["params"])


def test_frozen_parameters_are_left_out_and_no_group_is_empty():
    module = small_net()
    module.requires_grad_(False)
    module[6].weight.requires_grad_(True)
    (group,) = parameter_groups(module, SGDConfig())
    assert len(group["params"]) == 1
    assert group["params"][0] is module[6].weight


def test_some_parameters_with_a_rate_of_their_own():
    module = small_net()
    groups = parameter_groups(module, SGDConfig(lr=1.0), list(module[0].parameters()), 0.25)
    assert names_by_group(module, groups) == [["0.weight"], ["0.bias"]]
    assert [group["lr"] for group in groups] == [0.25, 0.25]


@st.composite
def drawn(draw):
    names = [name for name, _ in MODULE.named_modules() if name] + [r"stage\d\.0", r".*conv1", "0:3", "-1", ".*"]
    groups = []
    for pattern in draw(st.lists(st.sampled_from(names), max_size=4)):
        setting = draw(st.sampled_from(["lr", "lr_factor", "weight_decay"]))
        groups.append(OptimizerGroupConfig(pattern=pattern, **{setting: draw(st.sampled_from([0.0, 0.5, 2.0]))}))
    return draw(st.sampled_from(KINDS))(
        groups=tuple(groups),
        layer_decay=draw(st.sampled_from([None, 0.5, 1.0])),
        decay_norm_and_bias=draw(st.booleans()),
    )


def has_parameters(config):
    try:
        parameter_groups(MODULE, config)
    except ConfigError:
        return False
    return True


@settings(max_examples=60, deadline=None)
@given(drawn().filter(has_parameters))
def test_every_parameter_is_in_one_group_in_stable_order(config):
    groups = parameter_groups(MODULE, config)
    order = {id(parameter): index for index, parameter in enumerate(MODULE.parameters())}
    places = [[order[id(parameter)] for parameter in group["params"]] for group in groups]
    assert sorted(place for group in places for place in group) == list(range(len(order)))
    assert all(group == sorted(group) for group in places)
    firsts = [group[0] for group in places]
    assert firsts == sorted(firsts)


@settings(max_examples=30, deadline=None)
@given(drawn().filter(has_parameters), st.sampled_from([0.0, 0.3]), st.sampled_from([0.0, 0.1]))
def test_other_values_make_the_same_groups(config, lr, weight_decay):
    """So that a training goes on with them."""
    changed = config.model_copy(update={"lr": lr, "weight_decay": weight_decay})
    groups = names_by_group(MODULE, parameter_groups(MODULE, config))
    assert names_by_group(MODULE, parameter_groups(MODULE, changed)) == groups


def test_patterns_name_modules_parameters_and_indices():
    config = with_groups(
        {"pattern": "head", "lr": 0.5},
        {"pattern": r"stage\d\.0\.conv1\.weight", "lr_factor": 0.1},
        {"pattern": "0", "weight_decay": 0.3},
        lr=2.0,
        weight_decay=0.01,
    )
    settings_of = {}
    for group in parameter_groups(MODULE, config):
        for name in names_by_group(MODULE, [group])[0]:
            settings_of[name] = (group["lr"], group["weight_decay"])
    assert settings_of["head.weight"] == (0.5, 0.01)
    assert settings_of["head.bias"] == (0.5, 0.0)
    assert settings_of["stage2.0.conv1.weight"] == (0.2, 0.01)
    assert settings_of["stage2.1.conv1.weight"] == (2.0, 0.01)
    assert settings_of["stem.weight"] == (2.0, 0.3)


def test_the_first_match_wins_and_factors_multiply_with_layer_decay():
    config = with_groups({"pattern": "head", "lr_factor": 0.5}, {"pattern": ".*", "lr": 7}, lr=2.0, layer_decay=0.5)
    rates = {id(p): group["lr"] for group in parameter_groups(MODULE, config) for p in group["params"]}
    assert rates[id(MODULE.head.weight)] == 1.0
    assert rates[id(MODULE.stem.weight)] == 7
    config = with_groups({"pattern": "stage3.2", "lr_factor": 3}, lr=2.0, layer_decay=0.5)
    rates = {id(p): group["lr"] for group in parameter_groups(MODULE, config) for p in group["params"]}
    assert rates[id(MODULE.stage3[2].conv1.weight)] == 3.0


def test_a_learning_rate_goes_to_all_but_those_with_one_of_their_own():
    optimizer = make_optimizer(MODULE, with_groups({"pattern": "head", "lr": 7}, {"pattern": "stem", "lr_factor": 0.1}))
    set_learning_rate(optimizer, 2.0)
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    assert rates[id(MODULE.head.weight)] == 7
    assert rates[id(MODULE.stem.weight)] == 0.2
    assert rates[id(MODULE.stage1[0].conv1.weight)] == 2.0


def test_lamb_scales_what_it_decays():
    groups = parameter_groups(MODULE, LAMBConfig())
    assert [group["adapted"] for group in groups] == [True, False]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("stge1", r"optimizer\.groups\[0\]\.pattern: 'stge1' matches no layer\. Did you mean stage1"),
        ("stage1(", r"optimizer\.groups\[0\]\.pattern: 'stage1\(' is no regular expression"),
        ("99", r"optimizer\.groups\[0\]\.pattern: 99: there is no layer 99"),
    ],
)
def test_a_pattern_that_matches_nothing_is_an_error(pattern, message):
    with pytest.raises(ConfigError, match=message):
        parameter_groups(MODULE, with_groups({"pattern": pattern, "lr": 1}))


def test_all_wrong_patterns_come_at_once():
    with pytest.raises(ConfigError, match="2 problems"):
        parameter_groups(MODULE, with_groups({"pattern": "a", "lr": 1}, {"pattern": "b", "lr": 1}))


def test_groups_that_change_nothing_are_errors():
    with pytest.raises(ConfigError, match=r"groups\[1\]\.pattern: 'stem' is only for what never trains or"):
        check_groups(MODULE, with_groups({"pattern": ".*", "lr": 1}, {"pattern": "stem", "lr": 1}))
    with pytest.raises(ConfigError, match=r"groups\[0\]\.weight_decay: is for biases and normalisation only"):
        check_groups(MODULE, with_groups({"pattern": "norm", "weight_decay": 0.1}))
    check_groups(MODULE, with_groups({"pattern": "norm", "weight_decay": 0.1}, decay_norm_and_bias=True))
    module = small_net()
    module[0].requires_grad_(False)
    with pytest.raises(ConfigError, match=r"never trains"):
        check_groups(module, with_groups({"pattern": "0", "lr": 1}))


def test_names_tell_groups_apart():
    config = configs.MuonConfig(layer_decay=0.5, groups=(OptimizerGroupConfig(pattern="head", lr=1),))
    names = [group["name"] for group in parameter_groups(MODULE, config)]
    assert len(set(names)) == len(names)
    assert {"block0_weights", "block3_muon_weights", "block3_norms_and_biases", "groups0_block10_weights"} < set(names)


def test_groups_carry_plain_values():
    """So that they can be loaded from a checkpoint."""
    plain = (str, float, int, bool, type(None))
    for group in parameter_groups(MODULE, configs.MuonConfig(layer_decay=0.5)):
        assert all(isinstance(value, plain) for key, value in group.items() if key != "params")
        assert all(isinstance(parameter, torch.nn.Parameter) for parameter in group["params"])
