import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from vernier.augment.buffers import Recycler
from vernier.augment.plan import compile_plan
from vernier.config.augment import RandomRotate
from vernier.data.feed_base import Feed
from vernier.data.repeats_feed import RepeatsFeed, with_repeats, without_repeats
from vernier.data.tiny_feed import TinyFeed


class Numbers(Feed):
    """Rows that tell position and epoch."""

    def batch(self, positions: np.ndarray, epoch: int) -> torch.Tensor:
        return torch.stack([torch.tensor(positions), torch.full((len(positions),), epoch)], dim=1)


samples = st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 5)), min_size=1, max_size=20)


@given(samples, st.integers(0, 10**6))
def test_each_repeat_has_an_epoch_of_its_own_and_rows_keep_their_order(pairs, epoch):
    positions, repeats = np.array(pairs).T
    rows = RepeatsFeed(Numbers()).batch(with_repeats(positions, repeats), epoch)
    assert rows[:, 0].tolist() == positions.tolist()
    assert [int(row) % 2**32 for row in rows[:, 1]] == [epoch] * len(pairs)
    assert [int(row) // 2**32 for row in rows[:, 1]] == repeats.tolist()


@given(samples)
def test_positions_come_back(pairs):
    positions, repeats = np.array(pairs).T
    assert np.array_equal(without_repeats(with_repeats(positions, repeats)), positions)
    assert np.array_equal(with_repeats(positions, None), positions)


def test_an_image_that_comes_again_is_augmented_anew():
    pixels = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)
    plan = compile_plan(
        (RandomRotate(degrees=90),),
        channels=3,
        border="constant",
        fill=0,
        interpolation="bilinear",
        seed=5,
        native_size=(8, 8),
    )
    plain = TinyFeed(pixels, plan, Recycler().take)
    positions, repeats = np.array([2, 0, 2, 2]), np.array([0, 0, 1, 2])
    images = RepeatsFeed(plain).batch(with_repeats(positions, repeats), 3).clone()
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert not torch.equal(images[0], images[2])
    assert not torch.equal(images[2], images[3])
    assert torch.equal(images[:2], plain.batch(positions[:2], 3))
