import dataclasses
import threading
import time

import numpy as np
import pytest
import torch

from vernier.augment.opencv_backend import OpenCVBackend
from vernier.augment.plan import compile_plan
from vernier.config.augment import Normalize, RandomCrop
from vernier.config.data import DataConfig
from vernier.data.feed import Feed, StoreFeed, make_feed
from vernier.data.images import ArrayImages
from vernier.data.loader import TrainLoader, Waiting
from vernier.data.order import BatchOrder
from vernier.data.repeats_feed import RepeatsFeed
from vernier.data.sampling import ClassSampler
from vernier.data.store import open_store


def make_plan(seed=0):
    return compile_plan(
        (RandomCrop(size=(8, 8), padding=2), Normalize(mean=0.5, std=0.5)),
        channels=1,
        border="constant",
        fill=0,
        interpolation="bilinear",
        seed=seed,
    )


def make_loader(threads=1, rank=0, world_size=1, count=23, seed=0, backend=None):
    pixels = np.random.default_rng(0).integers(0, 256, (count, 8, 8, 1), dtype=np.uint8)
    store = open_store(ArrayImages(pixels, [str(n) for n in range(count)], 1), DataConfig(source="digits"), 0)
    plan = make_plan(seed)
    return TrainLoader(
        feed=StoreFeed(store, backend or OpenCVBackend(plan, threads)),
        positions=np.arange(count),
        targets=torch.arange(count),
        order=BatchOrder(count, 4, seed),
        threads=threads,
        rank=rank,
        world_size=world_size,
    )


def test_batches_are_the_same_whatever_the_threads():
    for one, other in zip(make_loader(0).epoch(1), make_loader(3).epoch(1), strict=True):
        assert torch.equal(one.images, other.images)
        assert np.array_equal(one.positions, other.positions)
        assert torch.equal(one.targets, torch.from_numpy(one.positions))


def test_an_image_that_comes_again_in_an_epoch_is_augmented_anew():
    loader = make_loader()
    sampler = ClassSampler("balanced", np.repeat([0, 1], [21, 2]), 0)
    order = dataclasses.replace(loader.order, sampler=sampler)
    batches = list(dataclasses.replace(loader, order=order, feed=RepeatsFeed(loader.feed)).epoch(0))
    positions = np.concatenate([batch.positions for batch in batches])
    images = torch.cat([batch.images for batch in batches])
    assert np.array_equal(positions, sampler.epoch(0).places)
    assert torch.equal(torch.cat([batch.targets for batch in batches]), torch.from_numpy(positions))
    again = images[np.flatnonzero(positions == 22)]
    assert len(again) > 3
    assert len(torch.unique(again.flatten(1), dim=0)) > 2


def test_an_epoch_goes_on_where_it_was_left():
    whole = list(make_loader().epoch(0))
    rest = list(make_loader().epoch(0, start=2))
    assert len(rest) == len(whole) - 2
    assert all(torch.equal(one.images, other.images) for one, other in zip(whole[2:], rest, strict=True))


def test_the_seed_reaches_order_and_augmentation():
    zero, one = next(make_loader(seed=0).epoch(0)), next(make_loader(seed=1).epoch(0))
    assert not np.array_equal(zero.positions, one.positions)
    first, second = (next(make_loader(seed=0).epoch(epoch)) for epoch in (0, 1))
    assert not np.array_equal(first.positions, second.positions)


@pytest.mark.parametrize("world_size", [2, 3, 5])
def test_processes_together_see_every_sample_once(world_size):
    seen, total = [], 0.0
    for rank in range(world_size):
        for batch in make_loader(rank=rank, world_size=world_size).epoch(0):
            seen += batch.positions[batch.weights.numpy() > 0].tolist()
            total += float(batch.weights.sum())
            assert len(batch.images) >= 1
    assert sorted(seen) == list(range(23))
    assert total == 23


class FailingBackend:
    def batch(self, images, indices, epoch):
        raise OSError("the disk is gone")


def test_what_goes_wrong_in_the_loader_reaches_the_training_thread():
    with pytest.raises(OSError, match="the disk is gone"):
        list(make_loader(backend=FailingBackend()).epoch(0))


def test_a_loader_that_is_left_ends_its_thread():
    batches = make_loader().epoch(0)
    next(batches)
    batches.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("vernier-loader")]


def windows_loader(threads):
    pixels = np.random.default_rng(0).integers(0, 256, (23, 8, 8, 1), dtype=np.uint8)
    store = open_store(ArrayImages(pixels, [str(n) for n in range(23)], 1), DataConfig(source="digits"), 0)
    return dataclasses.replace(make_loader(threads), feed=make_feed(store, make_plan(), threads))


@pytest.mark.parametrize("start", [0, 1, 3])
def test_batches_made_together_are_those_made_alone(start):
    assert windows_loader(2).feed.samples_at_once > 4
    alone = list(make_loader(0).epoch(2, start))
    together = list(windows_loader(2).epoch(2, start))
    assert len(together) == len(alone)
    for one, other in zip(alone, together, strict=True):
        torch.testing.assert_close(one.images, other.images, atol=1e-6, rtol=0)
        assert torch.equal(one.targets, other.targets)
        assert np.array_equal(one.positions, other.positions)
        assert torch.equal(one.weights, other.weights)
        assert one.global_count == other.global_count


def test_a_batch_by_its_number_is_that_of_the_epoch():
    batch = windows_loader(0).batch(1, 3)
    same = list(windows_loader(0).epoch(1))[3]
    assert torch.equal(batch.images, same.images)
    assert np.array_equal(batch.positions, same.positions)


def test_a_batch_that_is_kept_is_not_written_over():
    kept = [(batch, batch.images.clone()) for batch in make_loader(2).epoch(0)]
    assert all(torch.equal(batch.images, copy) for batch, copy in kept)


class SlowFeed(Feed):
    def batch(self, positions, epoch):
        time.sleep(0.02)
        return torch.zeros(len(positions), 1, 8, 8)


@pytest.mark.parametrize("threads", [0, 1])
def test_waiting_is_counted(threads):
    loader = dataclasses.replace(make_loader(threads), feed=SlowFeed(), waiting=Waiting())
    batches = loader.epoch(0)
    next(batches)
    assert loader.waiting.seconds >= 0.015
    before = loader.waiting.seconds
    time.sleep(0.5)
    next(batches)
    assert loader.waiting.seconds - before < 0.4


def test_a_feed_is_asked_by_no_more_threads_than_it_takes():
    threads = set()

    class Watched(Feed):
        def batch(self, positions, epoch):
            threads.add(threading.current_thread())
            return torch.zeros(len(positions), 1)

    list(dataclasses.replace(make_loader(4), feed=Watched()).epoch(0))
    assert len(threads) == 1
