"""`optimizer` as users write it, and what is refused."""

import pytest

from vernier.config.fields import kinds
from vernier.config.loading import config_from_mapping
from vernier.config.root import Config
from vernier.errors import ConfigError

KINDS = kinds(Config.model_fields["optimizer"].annotation)


def problems(optimizer, **other):
    with pytest.raises(ConfigError) as caught:
        config_from_mapping({"data": "x", "optimizer": optimizer, **other})
    return [f"{problem}" for problem in caught.value.problems]


@pytest.mark.parametrize("name", [name for name in KINDS if name != "custom"])
def test_a_name_is_enough(name):
    config = config_from_mapping({"data": "x", "optimizer": name}).config.optimizer
    assert config == KINDS[name]()
    assert config.lookahead is None
    assert list(type(config).model_fields)[:3] == ["name", "lr", "weight_decay"]


WRITTEN = {
    "SGD": "sgd",
    "Adam": "adam",
    "AdamW": "adamw",
    "RMSprop": "rmsprop",
    "AdaBelief": "adabelief",
    "LAMB": "lamb",
    "adam_amsgrad": "amsgrad",
    "adamwx": "adamw",
}


@pytest.mark.parametrize(("written", "meant"), WRITTEN.items())
def test_other_systems_names_are_understood_as_guesses(written, meant):
    (problem,) = problems(written)
    assert problem.startswith("optimizer: must be sgd, adam, ")
    assert f"did you mean '{meant}'?" in problem


def test_fields_of_another_kind_are_errors_that_name_it():
    (problem,) = problems({"name": "sgd", "rho": 0.9})
    assert "it belongs to adadelta or rmsprop; sgd takes lr, weight_decay," in problem


@pytest.mark.parametrize(
    ("optimizer", "problem"),
    [
        (
            {"groups": [{"pattern": "a", "lr": 1, "lr_factor": 2}]},
            "optimizer.groups[0].lr_factor: excludes optimizer.groups[0].lr; set one of them",
        ),
        (
            {"groups": [{"pattern": "a", "lr": 1}, {"pattern": "b"}]},
            "optimizer.groups[1]: changes nothing; set lr, lr_factor or weight_decay beside its pattern",
        ),
        (
            {"groups": [{"pattern": "a", "lr_fctor": 1}]},
            "optimizer.groups[0].lr_fctor: unknown key, set to 1; did you mean 'optimizer.groups[0].lr_factor'?",
        ),
        ({"layer_decay": 1.5}, "optimizer.layer_decay: must be a number, above 0 and at most 1, or null; got 1.5"),
        (
            {"lookahead": {"slow_step": 0}},
            "optimizer.lookahead.slow_step: must be a number, above 0 and at most 1; got 0",
        ),
        (
            {"name": "muon", "adjust_lr": "orignal"},
            "optimizer.adjust_lr: must be match_rms_adamw or original; got 'orignal'; did you mean 'original'?",
        ),
    ],
)
def test_what_is_wrong_is_said_once(optimizer, problem):
    assert problems(optimizer) == [problem]


def test_what_would_do_nothing_is_refused():
    frozen = {"model": {"name": "resnet18", "frozen": "backbone"}}
    (problem,) = problems({"layer_decay": 0.5}, **frozen)
    assert problem.startswith("optimizer.layer_decay: does nothing: model.frozen=backbone leaves only the head")
    (problem,) = problems("muon", **frozen)
    assert problem.startswith("optimizer: muon has nothing to do")
    later = {**frozen, "train": {"unfreeze": [{"epoch": 2}]}}
    config_from_mapping({"data": "x", "optimizer": {"name": "muon", "layer_decay": 0.5}, **later})
