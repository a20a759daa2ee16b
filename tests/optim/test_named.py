"""Optimizers that a config names by where they are."""

import pytest
import torch
from torch import nn

from optim.small_networks import small_net, train
from vernier.config.optimizer import CustomOptimizerConfig
from vernier.errors import ConfigError
from vernier.optim.optimizers import make_optimizer


def make(callable, **fields):
    return make_optimizer(small_net(), CustomOptimizerConfig(callable=callable, **fields))


class NoDecay(torch.optim.SGD):
    def __init__(self, params, lr, power):
        super().__init__(params, lr)
        self.power = power


class NoRate(torch.optim.SGD):
    def __init__(self, params):
        super().__init__(params, 0.1)


def test_torchs_get_their_arguments():
    optimizer = make("torch.optim.ASGD", lr=0.3, weight_decay=0.1, kwargs={"alpha": 0.5})
    assert type(optimizer) is torch.optim.ASGD
    decayed, plain = optimizer.param_groups
    assert (decayed["lr"], decayed["alpha"], decayed["weight_decay"]) == (0.3, 0.5, 0.1)
    assert plain["weight_decay"] == 0


def test_ones_own_get_theirs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_optimizer.py").write_text("import torch\n\nclass Own(torch.optim.SGD):\n    pass\n")
    optimizer = make("own_optimizer:Own", kwargs={"momentum": 0.5})
    assert type(optimizer).__name__ == "Own"
    assert optimizer.param_groups[0]["momentum"] == 0.5


@pytest.mark.parametrize("name", ["ASGD", "Adafactor", "Rprop", "RMSprop"])
def test_torchs_train(name):
    module = small_net()
    before = [parameter.detach().clone() for parameter in module.parameters()]
    train(module, make_optimizer(module, CustomOptimizerConfig(callable=f"torch.optim.{name}")), 2)
    assert any(not torch.equal(a, b) for a, b in zip(before, module.parameters(), strict=True))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"callable": "torch.optim.Adan"}, r"optimizer\.callable: torch\.optim has no 'Adan'; did you mean 'Adam'\?"),
        ({"callable": "torch.optim.LBFGS"}, r"optimizer\.callable: LBFGS computes the loss several times a step"),
        ({"callable": "torch.optim.SparseAdam"}, r"takes sparse gradients only.*use optimizer=adam"),
        ({"callable": "torch.optim.Muon"}, r"takes matrices only; use optimizer=muon"),
        ({"callable": "torch.nn.Linear"}, r"torch\.nn\.Linear is no subclass of torch\.optim\.Optimizer"),
        ({"callable": "torch.optim:Adam", "kwargs": {"beta": 1}}, r"kwargs\.beta: is no argument of Adam; did you"),
        ({"callable": "torch.optim:Adam", "kwargs": {"lr": 1}}, r"optimizer\.kwargs\.lr: is given by Vernier"),
        ({"callable": "torch.optim:Adam", "kwargs": {"betas": [2, 3]}}, r"Adam refuses its arguments: Invalid beta"),
        ({"callable": "optim.test_named:NoDecay"}, r"optimizer\.kwargs\.power: is missing; NoDecay needs it"),
        (
            {"callable": "optim.test_named:NoDecay", "kwargs": {"power": 2}, "weight_decay": 0.1},
            r"optimizer\.weight_decay: NoDecay has no weight decay and would ignore it; set it to 0",
        ),
        ({"callable": "optim.test_named:NoRate"}, r"NoRate takes no argument lr"),
        ({"callable": "no_such_module:Class"}, r"there is no module 'no_such_module'"),
    ],
)
def test_what_can_not_be_used_is_an_error(fields, message):
    with pytest.raises(ConfigError, match=message):
        make_optimizer(nn.Sequential(nn.Linear(2, 3)), CustomOptimizerConfig(**fields))
