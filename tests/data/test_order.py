import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vernier.data.order import BatchOrder, rank_share

orders = st.builds(BatchOrder, count=st.integers(1, 300), batch_size=st.integers(1, 64), seed=st.integers(0, 2**63 - 1))


@given(orders, st.integers(0, 5))
def test_every_sample_is_in_exactly_one_batch_of_an_epoch(order, epoch):
    batches = [order.batch(epoch, number) for number in range(order.batches_per_epoch)]
    assert sorted(np.concatenate(batches)) == list(range(order.count))


@given(orders)
def test_no_batch_is_left_with_a_single_image(order):
    sizes = [len(order.batch(0, number)) for number in range(order.batches_per_epoch)]
    assert all(size > 1 for size in sizes) or order.batch_size == 1 or order.count == 1
    assert max(sizes) <= order.batch_size + 1


def test_epochs_and_seeds_are_shuffled_differently_and_repeatably():
    order = BatchOrder(100, 100, seed=0)
    assert np.array_equal(order.batch(0, 0), BatchOrder(100, 100, seed=0).batch(0, 0))
    assert not np.array_equal(order.batch(0, 0), order.batch(1, 0))
    assert not np.array_equal(order.batch(0, 0), BatchOrder(100, 100, seed=1).batch(0, 0))
    assert not np.array_equal(order.batch(0, 0), np.arange(100))


@given(st.integers(1, 50), st.integers(1, 8))
def test_processes_share_a_batch_to_within_one_image(count, world_size):
    shares = [rank_share(np.arange(count), rank, world_size) for rank in range(world_size)]
    sizes = [len(share) for share in shares]
    assert np.array_equal(np.concatenate(shares), np.arange(count))
    assert max(sizes) - min(sizes) <= 1
