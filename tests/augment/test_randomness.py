"""Draws are a pure function of seed, epoch, sample and operation, and look like chance."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vernier.augment.randomness import Chance, _hash, _key, permutation, step_seed, uniform

NAMES = st.sampled_from(["RandomRotate#0", "RandomRotate#1", "ColorJitter#0"])


def test_known_answers():
    draws = uniform(0, 0, np.arange(3), "RandomRotate#0", 2)
    assert draws.tolist() == [
        [0.42315858125681305, 0.21462036741629187],
        [0.9046442502195401, 0.19726606162725724],
        [0.19504889277670379, 0.10649923650577864],
    ]
    assert uniform(2**63 - 1, 7, np.array([123456789]), "x", 3).tolist() == [
        [0.05799163665859908, 0.9583620536543704, 0.5192533512849163]
    ]
    assert permutation(0, 0, 10).tolist() == [1, 8, 2, 5, 0, 3, 6, 4, 7, 9]
    assert (step_seed(0, 0, 0), step_seed(0, 0, 1)) == (4650992048542296508, 6861650381017550681)


def test_mixing_is_splitmix64():
    """The hash of one word on a zero state is the first output of SplitMix64 seeded with it (published: 0)."""
    from vernier.augment.randomness import _hash

    assert int(_hash(np.zeros(1, np.uint64), np.array([0]))[0]) == 0xE220A8397B1DCDAF


@given(
    seed=st.integers(0, 2**63 - 1),
    epoch=st.integers(0, 10**6),
    indices=st.lists(st.integers(0, 2**40), max_size=12),
    chosen=st.lists(st.integers(0, 11), max_size=12),
    name=NAMES,
)
def test_a_sample_draws_the_same_in_any_batch(seed, epoch, indices, chosen, name):
    batch = np.array(indices, np.int64)
    subset = [number for number in chosen if number < len(indices)]
    whole = uniform(seed, epoch, batch, name, 5)
    assert whole.shape == (len(indices), 5)
    np.testing.assert_array_equal(uniform(seed, epoch, batch[subset], name, 5), whole[subset])
    np.testing.assert_array_equal(uniform(seed, epoch, batch, name, 2), whole[:, :2])
    np.testing.assert_array_equal(Chance(seed, epoch, batch).uniform(name, 5), whole)
    assert ((whole >= 0) & (whole < 1)).all()


@pytest.mark.parametrize("changed", ["seed", "epoch", "index", "operation", "draw"])
def test_each_argument_matters_and_neighbours_are_independent(changed):
    n = 20_000
    first = uniform(5, 6, np.arange(n) * 2, "a#0", 1)[:, 0]
    second = {
        "seed": lambda: uniform(6, 6, np.arange(n) * 2, "a#0", 1)[:, 0],
        "epoch": lambda: uniform(5, 7, np.arange(n) * 2, "a#0", 1)[:, 0],
        "index": lambda: uniform(5, 6, np.arange(n) * 2 + 1, "a#0", 1)[:, 0],
        "operation": lambda: uniform(5, 6, np.arange(n) * 2, "a#1", 1)[:, 0],
        "draw": lambda: uniform(5, 6, np.arange(n) * 2, "a#0", 2)[:, 1],
    }[changed]()
    assert abs(np.corrcoef(first, second)[0, 1]) < 4 / np.sqrt(n)
    joint = np.histogram2d(first, second, bins=8, range=[[0, 1], [0, 1]])[0]
    chi_square = ((joint - n / 64) ** 2 / (n / 64)).sum()
    assert chi_square < 63 + 4 * np.sqrt(2 * 63)


def test_seed_and_epoch_are_not_interchangeable():
    assert uniform(1, 2, np.arange(3), "a", 1).tolist() != uniform(2, 1, np.arange(3), "a", 1).tolist()


@pytest.mark.parametrize("over", ["indices", "epochs", "seeds"])
def test_draws_are_uniform(over):
    n = 10_000
    draws = {
        "indices": lambda: uniform(0, 0, np.arange(n), "a", 1)[:, 0],
        "epochs": lambda: np.array([uniform(0, epoch, np.array([7]), "a", 1)[0, 0] for epoch in range(n)]),
        "seeds": lambda: np.array([uniform(seed, 0, np.array([7]), "a", 1)[0, 0] for seed in range(n)]),
    }[over]()
    assert abs(draws.mean() - 0.5) < 4 / np.sqrt(12 * n)
    chi_square = ((np.histogram(draws, 50, (0, 1))[0] - n / 50) ** 2 / (n / 50)).sum()
    assert 49 - 4 * np.sqrt(2 * 49) < chi_square < 49 + 4 * np.sqrt(2 * 49)
    lowest_bits = (draws * 2**53).astype(np.uint64) & np.uint64(1)
    assert abs(lowest_bits.mean() - 0.5) < 4 / np.sqrt(4 * n)


@given(seed=st.integers(0, 2**63 - 1), epoch=st.integers(0, 1000), n=st.integers(0, 200))
def test_a_permutation_holds_every_sample_once(seed, epoch, n):
    assert sorted(permutation(seed, epoch, n).tolist()) == list(range(n))


def test_permutations_differ_between_epochs_and_every_place_is_as_likely():
    orders = np.stack([permutation(0, epoch, 6) for epoch in range(6000)])
    counts = np.stack([np.bincount(column, minlength=6) for column in orders.T])
    assert ((counts - 1000) ** 2 / 1000).sum() < 36 + 4 * np.sqrt(72)
    assert len(np.unique(orders, axis=0)) == 720


@given(seed=st.integers(0, 2**63 - 1), step=st.integers(0, 10**9), rank=st.integers(0, 1000))
def test_step_seeds_are_what_torch_takes_and_differ_between_ranks(seed, step, rank):
    assert 0 <= step_seed(seed, step, rank) < 2**63
    assert step_seed(seed, step, rank) != step_seed(seed, step, rank + 1)


@given(seed=st.integers(0, 2**63 - 1), step=st.integers(0, 2**40), rank=st.integers(0, 4096))
def test_step_seeds_are_the_hash_of_everything_else(seed, step, rank):
    assert step_seed(seed, step, rank) == int(_hash(_key(seed, step, "step"), np.array([rank]))[0] >> np.uint64(1))
