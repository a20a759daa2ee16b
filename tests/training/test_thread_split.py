import pytest
import torch

from training.opening import DIGITS, opened
from vernier.training import thread_split as module
from vernier.training.parts import build_parts
from vernier.training.thread_split import ThreadTrial, split_threads


@pytest.fixture
def parts():
    config, dataset = opened(*DIGITS)
    config = config.model_copy(
        update={
            "train": config.train.model_copy(update={"threads": 4}),
            "data": config.data.model_copy(update={"threads": 4}),
        }
    )
    return build_parts(config, dataset, lambda text: None)


def asked(parts, **fields):
    """The config with threads left to Vernier but for some."""
    train = parts.config.train.model_copy(update={"threads": fields.get("train", "auto")})
    data = parts.config.data.model_copy(update={"threads": fields.get("data", "auto")})
    return parts.config.model_copy(update={"train": train, "data": data})


def test_the_fastest_split_is_taken(parts, monkeypatch):
    times = {(4, 4): 0.3, (4, 1): 0.2, (4, 0): 0.4, (3, 1): 0.25}
    monkeypatch.setattr(module, "_measure", lambda parts, train, data: ThreadTrial(train, data, times[train, data]))
    split = split_threads(asked(parts), parts, 1e-6, 60.0)
    assert (split.train_threads, split.data_threads) == (4, 1)
    assert {(trial.train_threads, trial.data_threads) for trial in split.trials} == set(times)
    assert [line.split()[0] for line in split.table(32)].count("*") == 1


def test_compute_threads_that_the_user_sets_stay(parts, monkeypatch):
    tried = []
    monkeypatch.setattr(
        module, "_measure", lambda parts, train, data: tried.append(train) or ThreadTrial(train, data, 0.1)
    )
    split_threads(asked(parts, train=4), parts, 1e-6, 60.0)
    assert set(tried) == {4}


def test_nothing_is_measured_where_nothing_hangs_on_it(parts, monkeypatch):
    monkeypatch.setattr(module, "_measure", None)
    assert split_threads(asked(parts, data=2), parts, 1e-6, 60.0).trials == ()
    idle = split_threads(asked(parts), parts, 1e6, 60.0)
    assert (idle.trials, idle.data_threads) == ((), 4)
    assert "to prepare" in idle.reason
    assert split_threads(asked(parts), parts, 1e-6, 0.0).trials == ()


def test_a_split_is_really_measured_and_moves_nothing(parts):
    before = {name: tensor.clone() for name, tensor in parts.model.state_dict().items()}
    generator, threads = torch.get_rng_state(), torch.get_num_threads()
    trial = module._measure(parts, 1, 1)
    assert 0 < trial.seconds < 10
    assert all(torch.equal(tensor, before[name]) for name, tensor in parts.model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), generator)
    assert torch.get_num_threads() == threads
