import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from vernier.data.check import near_search
from vernier.data.check.near_search import near_pairs
from vernier.data.check.similar import connected


def brute_force(hashes, distance):
    values = [int(value) for value in hashes]
    return [
        [first, second]
        for first in range(len(values))
        for second in range(first + 1, len(values))
        if (values[first] ^ values[second]).bit_count() <= distance
    ]


@st.composite
def clustered_hashes(draw):
    """Hashes of which many are a few bits from another one."""
    hashes = draw(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=6))
    for _ in range(draw(st.integers(0, 25))):
        flipped = sum(1 << bit for bit in draw(st.sets(st.integers(0, 63), max_size=12)))
        hashes.append(draw(st.sampled_from(hashes)) ^ flipped)
    return np.array(hashes, dtype=np.uint64)


@settings(max_examples=50)
@given(clustered_hashes(), st.integers(0, 16))
def test_all_pairs_are_found_and_no_others(hashes, distance):
    assert near_pairs(hashes, distance).tolist() == brute_force(hashes, distance)


def test_candidates_come_in_pieces(monkeypatch):
    hashes = np.random.default_rng(0).integers(0, 2**12, 300, dtype=np.uint64)
    expected = brute_force(hashes, 3)
    monkeypatch.setattr(near_search, "_AT_ONCE", 50)
    assert near_pairs(hashes, 3).tolist() == expected
    assert len(expected) > 1000


def test_no_hashes_no_pairs():
    assert near_pairs(np.empty(0, dtype=np.uint64), 8).shape == (0, 2)


def test_pairs_are_joined_over_others():
    pairs = np.array([[5, 9], [1, 2], [2, 5], [7, 8]])
    assert connected(pairs) == [(1, 2, 5, 9), (7, 8)]
    assert connected(np.empty((0, 2), dtype=np.int64)) == []
