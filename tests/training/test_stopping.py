import math

from vernier.training.state import Best, TrainState
from vernier.training.stopping import improves


def test_what_counts_as_better():
    assert improves(0.5, None, "max")
    assert not improves(math.nan, None, "max")
    assert not improves(math.nan, 0.5, "min")
    assert improves(0.6, 0.5, "max")
    assert not improves(0.5, 0.5, "max")
    assert improves(0.4, 0.5, "min")
    assert not improves(0.55, 0.5, "max", min_delta=0.1)


def test_state_survives_plain_values():
    state = TrainState(epoch=2, step=7, best=Best(1, 0.5, {"accuracy": 0.5}), stopped_early="enough")
    assert TrainState.from_dict(state.to_dict()) == state
