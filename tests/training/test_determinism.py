"""Operations without a deterministic form are named: an error on a CPU, one line in the log on a GPU."""

import logging
import warnings

import pytest
import torch

from vernier.config.loading import load_config
from vernier.errors import TrainingError
from vernier.training.determinism import nondeterminism_named
from vernier.training.runtime import process_settings


def unpool() -> torch.Tensor:
    """An operation that has no deterministic form, on no device."""
    values, places = torch.nn.functional.max_pool2d(torch.rand(1, 1, 4, 4), 2, return_indices=True)
    return torch.nn.functional.max_unpool2d(values, places, 2)


def settings(*arguments: str):
    return load_config(None, ["data=digits", "train.accelerator=cpu", *arguments], checks=()).config


def test_on_a_cpu_the_operation_is_named():
    with pytest.raises(TrainingError) as caught, process_settings(settings()):
        unpool()
    assert str(caught.value) == (
        "max_unpooling2d_forward_out has no deterministic form on this device, and train.deterministic is true; set "
        "train.deterministic=false, or leave out the layer that calls it"
    )
    assert not torch.are_deterministic_algorithms_enabled()


def test_without_determinism_it_runs():
    with process_settings(settings("train.deterministic=false")):
        assert unpool().shape == (1, 1, 4, 4)


def test_other_errors_stay_what_they_are():
    with pytest.raises(RuntimeError, match="size of tensor a"), process_settings(settings()):
        torch.zeros(2) + torch.zeros(3)


def test_where_torch_only_warns_each_operation_is_logged_once(caplog):
    # What CUDA does: there train.accelerator is not cpu, and torch warns.
    torch.use_deterministic_algorithms(True, warn_only=True)
    shown = warnings.showwarning
    with caplog.at_level(logging.WARNING, logger="vernier"), nondeterminism_named():
        for _ in range(3):
            unpool()
        torch.zeros(4).put_(torch.tensor([0]), torch.ones(1))
    assert [message.split(" ")[1] for message in caplog.messages] == ["max_unpooling2d_forward_out", "put_"]
    assert warnings.showwarning is shown


def test_other_warnings_are_shown_as_before():
    with pytest.warns(UserWarning, match="something else"), nondeterminism_named():
        warnings.warn("something else", UserWarning, stacklevel=1)
