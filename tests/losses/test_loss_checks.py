"""Fields of `loss` and `data` that do not go together."""

import pytest

from vernier.config.loading import config_from_mapping
from vernier.errors import ConfigError


def problems(*overrides: str) -> dict[str, str]:
    try:
        config_from_mapping({"data": "x"}, overrides)
    except ConfigError as error:
        return {problem.key: problem.message for problem in error.problems}
    return {}


@pytest.mark.parametrize(
    ("overrides", "keys"),
    [
        (["loss=cross_entropy", "data.task=multiclass"], set()),
        (["loss=cross_entropy"], set()),
        (["loss=cross_entropy", "data.task=multilabel"], {"loss"}),
        (["loss=bce", "data.task=binary"], set()),
        (["loss=bce", "data.task=multiclass"], {"loss"}),
        (["loss.class_weights=balanced", "data.task=binary"], {"loss.class_weights"}),
        (["loss.logit_adjustment=1", "data.task=multilabel"], {"loss.logit_adjustment"}),
        (["loss.positive_weights=2", "data.task=multiclass"], {"loss.positive_weights"}),
        (["loss.positive_weights=2", "data.task=binary"], set()),
        (["loss=focal", "loss.alpha=0.25", "data.task=multiclass"], {"loss.alpha"}),
        (["loss=focal", "loss.alpha=0.25", "data.task=binary"], set()),
        (["loss=focal", "loss.class_weights=balanced", "data.task=multilabel"], {"loss.class_weights"}),
        (["loss.class_weights=balanced", "data.sampler=balanced"], {"loss.class_weights"}),
        (["loss.class_weights=[1,2]", "data.sampler=balanced"], set()),
        (["loss.class_weights=effective_number", "loss.logit_adjustment=1"], {"loss.class_weights"}),
        (["loss.class_weights={a: 1, b: 2}", "loss.logit_adjustment=1"], set()),
        (["loss.positive_weights=balanced", "data.sampler=square_root"], {"loss.positive_weights"}),
        (["data.imbalance=auto"], set()),
        (["data.imbalance=auto", "data.sampler=balanced"], {"data.imbalance"}),
        (["data.imbalance=auto", "loss.class_weights=[1,2]"], {"data.imbalance"}),
        (["loss.effective_number_beta=0.9"], {"loss.effective_number_beta"}),
        (["loss.effective_number_beta=0.9", "loss.class_weights=effective_number"], set()),
        (["loss=focal", "loss.gamma=-1"], {"loss.gamma"}),
        (["loss.class_weights=[1,0]"], {"loss.class_weights[1]"}),
        (["loss.distillation.weight=0.5"], {"loss.distillation.teacher"}),
    ],
)
def test_checks(overrides, keys):
    assert set(problems(*overrides)) == keys


def test_messages_name_the_other_key_and_the_remedy():
    found = problems("loss.class_weights=balanced", "data.sampler=square_root", "loss.logit_adjustment=2")
    assert found["loss.class_weights"] == (
        "corrects the imbalance that loss.logit_adjustment=2.0 and data.sampler=square_root correct too; use one"
    )
    found = problems("data.imbalance=auto", "data.sampler=balanced")
    assert found["data.imbalance"] == "auto has nothing to choose beside data.sampler=balanced; leave one out"
    found = problems("loss.class_weights=balanced", "data.task=binary")
    assert found["loss.class_weights"] == "is for multiclass tasks, but the task is binary; use loss.positive_weights"
