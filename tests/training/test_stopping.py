import math

from vernier.training.state import Best, TrainState
from vernier.training.stopping import EarlyStopping, improves


def test_what_counts_as_better():
    assert improves(0.5, None, "max")
    assert not improves(math.nan, None, "max")
    assert improves(0.6, 0.5, "max")
    assert not improves(0.5, 0.5, "max")
    assert improves(0.4, 0.5, "min")
    assert not improves(0.55, 0.5, "max", min_delta=0.1)


def test_patience_counts_validations_in_a_row():
    stopping = EarlyStopping("accuracy", "max", patience=2, min_delta=0.0)
    state = TrainState()
    for value, stopped in ((0.5, False), (0.4, False), (0.6, False), (0.6, False), (0.1, True)):
        stopping.update(state, {"accuracy": value})
        assert (state.stopped_early is not None) == stopped
    assert state.stopping_best == 0.6


def test_state_survives_plain_values():
    state = TrainState(epoch=2, step=7, best=Best(1, 0.5, {"accuracy": 0.5}), stopping_best=0.25)
    assert TrainState.from_dict(state.to_dict()) == state
