import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from made_sources import config, made_source

from vernier.data.splits import split_source
from vernier.data.subsets import draw_subset

SOURCE = made_source([0] * 60 + [1] * 30 + [2] * 10)
SPLIT = split_source(SOURCE, config(val=0.2, test=0.2))
amounts = st.one_of(st.integers(1, 200), st.floats(0.01, 1.0))


def drawn(amount, seed=0, purpose="quantization"):
    return draw_subset(SPLIT.train, SOURCE.targets, SOURCE.keys(), amount, seed, purpose)


@settings(max_examples=60)
@given(amounts, st.integers(0, 2**63 - 1))
def test_a_subset_never_leaves_train(amount, seed):
    subset = drawn(amount, seed)
    assert set(subset) <= set(SPLIT.train)
    assert (np.diff(subset) > 0).all()
    wanted = max(1, round(amount * len(SPLIT.train))) if isinstance(amount, float) else amount
    assert len(subset) == min(wanted, len(SPLIT.train))


def test_classes_keep_their_shares():
    whole = np.bincount(SOURCE.targets[SPLIT.train])
    assert (np.abs(np.bincount(SOURCE.targets[drawn(0.5)]) - whole / 2) < 1).all()
    assert np.bincount(SOURCE.targets[drawn(4)]).tolist() == [2, 1, 1]
    assert np.bincount(SOURCE.targets[drawn(3)]).tolist() == [1, 1, 1]
    assert np.array_equal(drawn(1.0), SPLIT.train)
    assert len(drawn(1)) == 1


def test_seeds_and_purposes_differ_and_a_second_call_does_not():
    draws = {tuple(drawn(10, seed, what)) for seed in (0, 1) for what in ("quantization", "calibration")}
    assert len(draws) == 4
    assert np.array_equal(drawn(10), drawn(10))


def test_positions_in_any_order_and_other_samples_do_not_matter():
    keys, targets = SOURCE.keys(), SOURCE.targets
    shuffled = np.random.default_rng(0).permutation(SPLIT.train)
    assert np.array_equal(draw_subset(shuffled, targets, keys, 20, 0, "quantization"), drawn(20))
    alone = draw_subset(
        np.arange(len(SPLIT.train)), targets[SPLIT.train], [keys[i] for i in SPLIT.train], 20, 0, "quantization"
    )
    assert np.array_equal(SPLIT.train[alone], drawn(20))


def test_several_labels():
    targets = np.zeros((40, 2), np.uint8)
    targets[:, 0] = targets[:8, 1] = 1
    keys = [f"{index}.png" for index in range(40)]
    subset = draw_subset(np.arange(40), targets, keys, 10, 0, "quantization")
    assert (len(subset), targets[subset, 1].sum()) == (10, 2)


def test_nothing_to_draw_from():
    assert len(draw_subset(np.arange(0), SOURCE.targets, SOURCE.keys(), 0.5, 0, "quantization")) == 0
