import sys

import numpy as np
import pytest
import torch
from loss_reference import logits
from torch import nn
from torch.nn import functional

from vernier.config.loss import CustomLossConfig
from vernier.errors import ConfigError
from vernier.losses.custom import make_custom_loss
from vernier.models.task import make_task

TASK = make_task("multiclass", ("a", "b", "c"))
MODULE = """
import torch
from torch import nn
from torch.nn import functional

def margin(logits, targets, *, margin=1.0):
    return functional.multi_margin_loss(logits, targets, margin=margin, reduction="none")

def mean(logits, targets):
    return functional.cross_entropy(logits, targets)

def constant(logits, targets):
    return torch.ones(len(logits))

def number(logits, targets):
    return 1.0

def short(logits):
    return logits.sum(dim=1)

class Learned(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, logits, targets):
        return self.scale * functional.cross_entropy(logits, targets, reduction="none")
"""


@pytest.fixture(autouse=True)
def own_losses(tmp_path, monkeypatch):
    (tmp_path / "own_losses.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    yield
    sys.modules.pop("own_losses", None)


def make(name: str, **kwargs):
    return make_custom_loss(CustomLossConfig(callable=name, kwargs=kwargs), TASK)


def test_a_function_gets_its_arguments():
    values, targets = logits(4, 3), torch.tensor([0, 1, 2, 0])
    expected = functional.multi_margin_loss(values, targets, margin=0.5, reduction="none")
    assert torch.equal(make("own_losses:margin", margin=0.5)(values, targets), expected)


def test_a_class_of_torchs_is_made_once():
    values, targets = logits(4, 3).bfloat16(), torch.tensor([0, 1, 2, 0])
    losses = make("torch.nn:CrossEntropyLoss", reduction="none", label_smoothing=0.1)(values, targets)
    assert losses.dtype == torch.float32
    torch.testing.assert_close(
        losses, nn.CrossEntropyLoss(reduction="none", label_smoothing=0.1)(values.float(), targets)
    )


@pytest.mark.parametrize("name", ["binary", "multilabel"])
def test_it_gets_the_targets_of_its_task(name, tmp_path):
    (tmp_path / "own_losses.py").write_text(
        "def shape(logits, targets):\n"
        f"    assert targets.shape == (len(logits), *{((), (2,))[name == 'multilabel']}), targets.shape\n"
        "    return logits.sum(dim=1)\n"
    )
    task = make_task(name, ("no", "yes"))
    loss = make_custom_loss(CustomLossConfig(callable="own_losses:shape"), task)
    targets = task.targets(np.zeros((5, 2) if name == "multilabel" else 5))
    assert loss(logits(5, task.num_outputs), targets).shape == (5,)


@pytest.mark.parametrize(
    ("name", "kwargs", "message"),
    [
        ("own_losses:mean", {}, "loss.callable: must give a loss for each image, shape (3,) for 3 images; got ()"),
        ("own_losses:constant", {}, "loss.callable: gives a loss without gradient"),
        ("own_losses:number", {}, "loss.callable: must give a tensor; got float"),
        ("own_losses:short", {}, "loss.callable: must take logits and targets; it takes logits"),
        ("own_losses:Learned", {}, "loss.callable: has parameters of its own"),
        ("own_losses:margin", {"margn": 2}, "loss.kwargs.margn: is no argument of margin; did you mean 'margin'?"),
        ("own_losses:margin", {"targets": 2}, "loss.kwargs.targets: is given by Vernier"),
        ("torch.nn:CrossEntropyLoss", {}, "loss.kwargs={reduction: none}"),
        ("own_losses:magin", {}, "loss.callable: own_losses has no 'magin'"),
        ("no_such_module:x", {}, "loss.callable: there is no module 'no_such_module'"),
    ],
)
def test_what_can_not_be_a_loss_is_an_error_before_training(name, kwargs, message):
    with pytest.raises(ConfigError) as error:
        make(name, **kwargs)
    assert message in str(error.value)
