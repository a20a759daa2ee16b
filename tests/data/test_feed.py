"""Which feed is chosen."""

import numpy as np
import pytest
import torch

from vernier.augment.opencv_backend import OpenCVBackend
from vernier.augment.plan import compile_plan
from vernier.config.augment import Normalize, RandomCrop, RandomResizedCrop, RandomRotate
from vernier.config.data import DataConfig
from vernier.data.feed import StoreFeed, make_feed
from vernier.data.images import ArrayImages
from vernier.data.store import open_store
from vernier.data.tiny_feed import TinyFeed
from vernier.data.window_feed import WindowFeed

NORMALIZE = Normalize(mean=0.5, std=0.5)


def make_store(side):
    pixels = np.random.default_rng(0).integers(0, 256, (20, side, side, 3), dtype=np.uint8)
    return open_store(ArrayImages(pixels, [str(n) for n in range(20)], 3), DataConfig(source="digits"), 0)


def make_plan(side, *operations):
    options = {"channels": 3, "border": "constant", "fill": 0, "interpolation": "bilinear", "seed": 0}
    return compile_plan((*operations, NORMALIZE), native_size=(side, side), **options)


@pytest.mark.parametrize(
    ("side", "operation", "kind"),
    [
        (32, RandomCrop(size=(32, 32), padding=4), WindowFeed),
        (8, RandomCrop(size=(8, 8), padding=1), WindowFeed),
        (8, RandomRotate(), TinyFeed),
        (32, RandomRotate(), StoreFeed),
        (80, RandomCrop(size=(64, 64)), StoreFeed),
        (80, RandomResizedCrop(size=(8, 8)), StoreFeed),
    ],
)
@pytest.mark.parametrize("threads", [0, 3])
def test_the_fastest_feed_that_does_what_the_plan_says(side, operation, kind, threads):
    store, plan, positions = make_store(side), make_plan(side, operation), np.array([7, 3, 3, 19])
    feed = make_feed(store, plan, threads)
    assert isinstance(feed, kind)
    expected = OpenCVBackend(plan, 0).batch([store[place] for place in positions], positions, 1)
    torch.testing.assert_close(feed.batch(positions, 1), expected, atol=1e-5, rtol=0)


def test_threads_that_give_way_make_the_same_batches():
    store, plan = make_store(32), make_plan(32, RandomRotate())
    usual, nice = make_feed(store, plan, 2), make_feed(store, plan, 2, niceness=5)
    assert torch.equal(usual.batch(np.arange(20), 0), nice.batch(np.arange(20), 0))
