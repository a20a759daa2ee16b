import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from vernier.deploy.calibrate.rejection import (
    Accepted,
    accept,
    choose_threshold,
    lower_bound_of,
    precision_of,
)

images = st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=1, max_size=40)
targets = st.sampled_from([0.2, 0.5, 0.75, 0.9, 0.95, 1.0])


def _arrays(rows) -> tuple[np.ndarray, np.ndarray]:
    confidence, correct = zip(*rows, strict=True)
    return np.array(confidence, np.float32) / np.float32(13), np.array(correct)


@pytest.mark.parametrize("criterion", [precision_of, lower_bound_of])
@settings(max_examples=50)
@given(images, targets)
def test_no_other_threshold_accepts_more_and_reaches_the_target(criterion, rows, target):
    confidence, correct = _arrays(rows)
    chosen = choose_threshold(confidence, correct, target, criterion)
    reaching = [
        int((confidence >= cut).sum())
        for cut in np.unique(confidence)
        if criterion(int(correct[confidence >= cut].sum()), int((confidence >= cut).sum())) >= target
    ]
    assert chosen.reached == bool(reaching)
    if reaching:
        assert chosen.accepted.accepted == max(reaching)
        assert (chosen.threshold is None) == (max(reaching) == len(confidence))
        assert accept(confidence, correct, chosen.threshold) == chosen.accepted
    else:
        assert chosen.threshold is None


def test_the_threshold_lies_between_what_is_accepted_and_what_is_not():
    confidence = np.array([0.9, 0.8, 0.5, 0.4], np.float32)
    chosen = choose_threshold(confidence, np.array([True, True, False, True]), 0.9)
    assert chosen.threshold == pytest.approx(0.65)
    assert chosen.accepted == Accepted(4, 2, 2)
    assert chosen.accepted.coverage == 0.5


def test_neighbouring_floats_are_told_apart():
    low = np.float32(0.5)
    high = np.nextafter(low, np.float32(1))
    for pair in ((low, high), (high, np.nextafter(high, np.float32(1)))):
        chosen = choose_threshold(np.array(pair), np.array([False, True]), 1.0)
        assert accept(np.array(pair), np.array([False, True]), chosen.threshold) == Accepted(2, 1, 1)


def test_the_interval_is_wilsons():
    low, high = Accepted(100, 50, 47).interval
    expected = binomtest(47, 50).proportion_ci(0.95, method="wilson")
    assert (low, high) == pytest.approx((expected.low, expected.high))
    assert lower_bound_of(47, 50) == pytest.approx(expected.low)
