import pytest
import torch

from vernier.config.duration import Duration
from vernier.config.schedule import CosineConfig, OneCycleConfig
from vernier.errors import ConfigError
from vernier.optim.schedules import make_momentum, set_momentum

LENGTH = {"total_steps": 100, "steps_per_epoch": 10}


@pytest.mark.parametrize("config", [CosineConfig(), OneCycleConfig()])
def test_momentum_stays_unless_the_schedule_says_otherwise(config):
    assert make_momentum(config, **LENGTH) is None


def test_momentum_waits_for_the_end_of_warmup_and_hold():
    config = OneCycleConfig(warmup=Duration(10, "st"), hold=Duration(1, "ep"), rise=0.5, momentum=(0.8, 0.9))
    momentum = make_momentum(config, **LENGTH)
    assert [momentum(step) for step in (0, 15, 20)] == [0.9] * 3
    assert momentum(59) == pytest.approx(0.8)
    assert momentum(99) == pytest.approx(0.9)


def parameters():
    return [
        {"params": [torch.nn.Parameter(torch.zeros(2))]},
        {"params": [torch.nn.Parameter(torch.zeros(3))], "weight_decay": 0.0},
    ]


def test_all_groups_of_sgd_get_their_momentum():
    optimizer = torch.optim.SGD(parameters(), lr=0.1, momentum=0.9)
    set_momentum(optimizer, 0.7)
    assert [group["momentum"] for group in optimizer.param_groups] == [0.7, 0.7]


def test_all_groups_of_adam_get_their_first_beta():
    optimizer = torch.optim.AdamW(parameters(), lr=0.1, betas=(0.9, 0.98))
    set_momentum(optimizer, 0.7)
    assert [group["betas"] for group in optimizer.param_groups] == [(0.7, 0.98), (0.7, 0.98)]


def test_an_optimizer_without_momentum_is_an_error():
    with pytest.raises(
        ConfigError, match=r"schedule\.momentum: needs an optimizer with momentum, and Adagrad has none"
    ):
        set_momentum(torch.optim.Adagrad(parameters()), 0.7)
