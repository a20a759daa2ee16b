import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vernier.data.order import BatchOrder, rank_share
from vernier.data.shards.stream_order import StreamOrder

shard_sizes = st.lists(st.integers(1, 30), min_size=1, max_size=12)


@st.composite
def orders(draw, least_processes=1):
    sizes = draw(shard_sizes)
    numbers = draw(st.permutations(range(len(sizes))))
    shards = np.repeat(np.array(numbers) * 3, sizes)
    seed = draw(st.integers(0, 2**63 - 1))
    stream = StreamOrder(shards, draw(st.integers(1, 6)), draw(st.integers(least_processes, 5)), seed)
    return BatchOrder(len(shards), draw(st.integers(1, 40)), seed, stream=stream)


def own_samples(order, epoch, rank):
    processes = order.stream.processes
    batches = [order.batch(epoch, number) for number in range(order.batches_per_epoch)]
    return np.concatenate([rank_share(batch, rank, processes) for batch in batches])


def most_open(shards):
    """At how many shards a reader of these samples is between their first and their last one, at most."""
    places = [np.flatnonzero(shards == shard) for shard in np.unique(shards)]
    changes = np.zeros(len(shards) + 1, int)
    for place in places:
        changes[place[0]] += 1
        changes[place[-1] + 1] -= 1
    return changes.cumsum().max()


@given(orders(), st.integers(0, 3))
def test_every_sample_is_in_exactly_one_batch_of_an_epoch(order, epoch):
    batches = [order.batch(epoch, number) for number in range(order.batches_per_epoch)]
    assert sorted(np.concatenate(batches)) == list(range(order.count))
    plain = BatchOrder(order.count, order.batch_size, order.seed)
    assert [len(batch) for batch in batches] == [len(plain.batch(epoch, n)) for n in range(plain.batches_per_epoch)]


@given(orders(), st.integers(0, 3))
def test_no_process_has_more_shards_open_than_the_window(order, epoch):
    for rank in range(order.stream.processes):
        own = order.stream.shards[own_samples(order, epoch, rank)]
        assert len(own) == 0 or most_open(own) <= order.stream.window


@given(orders(2), st.integers(0, 3))
def test_processes_share_the_shards_at_the_cuts_alone(order, epoch):
    readers = [set(order.stream.shards[own_samples(order, epoch, rank)]) for rank in range(order.stream.processes)]
    reads, shards = sum(map(len, readers)), len(np.unique(order.stream.shards))
    assert reads <= shards + order.stream.processes - 1


def test_an_order_is_a_function_of_seed_and_epoch():
    shards = np.repeat(np.arange(6), 20)
    one, same = (BatchOrder(120, 120, 1, stream=StreamOrder(shards, 2, 1, 1)) for _ in range(2))
    other = BatchOrder(120, 120, 2, stream=StreamOrder(shards, 2, 1, 2))
    assert np.array_equal(one.batch(3, 0), same.batch(3, 0))
    assert not np.array_equal(one.batch(3, 0), one.batch(4, 0))
    assert not np.array_equal(one.batch(3, 0), other.batch(3, 0))


@pytest.mark.parametrize("window", [2, 4, 8])
def test_samples_of_the_open_shards_are_mixed(window):
    # Shannon's entropy of the shards within the batches of an epoch: exp of it is how many shards a batch draws from.
    shards = np.repeat(np.arange(40), 100)
    order = BatchOrder(len(shards), 100, 0, stream=StreamOrder(shards, window, 1, 0))
    drawn_from = []
    for number in range(order.batches_per_epoch):
        share = np.bincount(shards[order.batch(0, number)]) / 100
        share = share[share > 0]
        drawn_from.append(np.exp(-(share * np.log(share)).sum()))
    assert np.median(drawn_from) > 0.85 * window
    # At both ends of an epoch as well, where a shuffling buffer that has yet to fill would not mix.
    assert min(drawn_from) > 0.5 * window


def test_a_window_of_all_shards_is_a_plain_shuffle():
    # Places of the first shard's samples are spread like any other's.
    shards = np.repeat(np.arange(5), 2000)
    order = BatchOrder(len(shards), len(shards), 0, stream=StreamOrder(shards, 5, 1, 0))
    places = np.flatnonzero(shards[order.batch(0, 0)] == 0) / len(shards)
    assert places.mean() == pytest.approx(0.5, abs=0.03)
    assert np.diff(np.sort(places)).max() < 0.01
