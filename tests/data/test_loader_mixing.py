"""Mixed batches are the same however they are made: threads, processes, feeds, the place where an epoch begins."""

import dataclasses

import numpy as np
import pytest
import torch

from vernier.augment.buffers import Recycler
from vernier.augment.mix import Mixer
from vernier.augment.opencv_backend import OpenCVBackend
from vernier.augment.plan import compile_plan
from vernier.config.augment import MixConfig, Normalize, RandomCrop
from vernier.config.data import DataConfig
from vernier.data.device_feed import make_device_feed
from vernier.data.feed import StoreFeed, make_feed
from vernier.data.images import ArrayImages
from vernier.data.loader import TrainLoader
from vernier.data.order import BatchOrder
from vernier.data.store import open_store

COUNT = 23
MIX = {"mixup": 0.5, "cutmix": 1.0, "p": 0.8}


def make_store():
    pixels = np.random.default_rng(0).integers(0, 256, (COUNT, 8, 8, 3), dtype=np.uint8)
    return open_store(ArrayImages(pixels, [str(n) for n in range(COUNT)], 3), DataConfig(source="digits"), 0)


def make_plan():
    return compile_plan(
        (RandomCrop(size=(8, 8), padding=2), Normalize(mean=0.5, std=0.5)),
        channels=3, border="constant", fill=0, interpolation="bilinear", seed=0,
    )  # fmt: skip


def make_loader(threads=0, rank=0, world_size=1, batch_size=5, mixed=True, feed=None):
    order = BatchOrder(COUNT, batch_size, 0)
    mixer = Mixer(MixConfig(**MIX), 0, 10**9, order.batches_per_epoch, Recycler().take)
    return TrainLoader(
        feed=feed or StoreFeed(make_store(), OpenCVBackend(make_plan(), threads)),
        positions=np.arange(COUNT),
        targets=100 + torch.arange(COUNT),
        order=order,
        threads=threads,
        rank=rank,
        world_size=world_size,
        mixer=mixer if mixed else None,
    )


def batches_of(loader, start=0):
    return [batch for epoch in range(3) for batch in loader.epoch(epoch, start)]


def assert_same(ones, others, atol=0.0):
    assert len(ones) == len(others)
    for one, other in zip(ones, others, strict=True):
        torch.testing.assert_close(one.images, other.images, atol=atol, rtol=0)
        assert np.array_equal(one.positions, other.positions)
        assert torch.equal(one.targets, other.targets)
        assert (one.mixed is None) == (other.mixed is None)
        if one.mixed is not None:
            assert one.mixed.share == other.mixed.share
            assert torch.equal(one.mixed.targets, other.mixed.targets)


def test_images_and_second_labels_are_those_of_the_partners():
    kinds = set()
    for plain, batch in zip(batches_of(make_loader(mixed=False)), batches_of(make_loader()), strict=True):
        assert plain.mixed is None
        assert torch.equal(batch.targets, plain.targets)
        if batch.mixed is None:
            kinds.add("as it is")
            assert torch.equal(batch.images, plain.images)
            continue
        partners = [plain.targets.tolist().index(target) for target in batch.mixed.targets.tolist()]
        others = plain.images[partners]
        if torch.allclose(batch.images, batch.mixed.share * plain.images + (1 - batch.mixed.share) * others, atol=1e-6):
            kinds.add("mixup")
        else:
            kinds.add("cutmix")
            same, other = batch.images == plain.images, batch.images == others
            assert bool((same | other).all())
            # Where both are alike nobody can tell whose pixel it is.
            assert float(other.float().mean()) >= 1 - batch.mixed.share - 1e-6
            assert float(same.float().mean()) >= batch.mixed.share - 1e-6
    assert kinds == {"as it is", "mixup", "cutmix"}


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("start", [0, 2])
def test_threads_and_the_first_batch_change_nothing(threads, start):
    assert_same(batches_of(make_loader(threads), start), batches_of(make_loader(), start))


@pytest.mark.parametrize("threads", [0, 2])
def test_batches_made_together_are_those_made_alone(threads):
    together = make_loader(threads, feed=make_feed(make_store(), make_plan(), threads))
    assert together.feed.samples_at_once > 5
    assert_same(batches_of(make_loader()), batches_of(together), atol=1e-6)
    batch = together.batch(1, 2)
    assert torch.equal(batch.images, list(together.epoch(1))[2].images)


def test_a_feed_on_a_device_is_mixed_there():
    device = torch.device("cpu")
    loader = make_loader(feed=make_device_feed(make_store(), make_plan(), device))
    assert_same(batches_of(make_loader()), batches_of(loader), atol=1e-5)


@pytest.mark.parametrize("world_size", [2, 3, 7])
def test_processes_together_have_the_batches_of_one(world_size):
    alone = batches_of(make_loader())
    ranks = [batches_of(make_loader(rank=rank, world_size=world_size)) for rank in range(world_size)]
    for whole, shares in zip(alone, zip(*ranks, strict=True), strict=True):
        held = [share for share in shares if float(share.weights[0]) == 1]
        assert all(share.global_count == len(whole.positions) for share in shares)
        joined = dataclasses.replace(
            whole,
            images=torch.cat([share.images for share in held]),
            targets=torch.cat([share.targets for share in held]),
            positions=np.concatenate([share.positions for share in held]),
        )
        assert_same([dataclasses.replace(whole, mixed=None)], [dataclasses.replace(joined, mixed=None)])
        if whole.mixed is not None:
            assert torch.equal(torch.cat([share.mixed.targets for share in held]), whole.mixed.targets)
            assert {share.mixed.share for share in shares} == {whole.mixed.share}


def test_a_single_image_is_left_alone():
    assert all(batch.mixed is None for batch in batches_of(make_loader(batch_size=1)))


def test_a_mixed_batch_that_is_kept_is_not_written_over():
    kept = [(batch, batch.images.clone()) for batch in batches_of(make_loader(2))]
    assert all(torch.equal(batch.images, copy) for batch, copy in kept)
