"""Feeds from a device give what the OpenCV backend gives."""

import numpy as np
import pytest
import torch

from vernier.augment.device_windows import window_plan
from vernier.augment.opencv_backend import OpenCVBackend
from vernier.augment.plan import compile_plan
from vernier.config.augment import (
    CentralCrop,
    ColorJitter,
    Normalize,
    RandomCrop,
    RandomHorizontalFlip,
    RandomResizedCrop,
    RandomRotate,
    RandomVerticalFlip,
)
from vernier.data.device_feed import DeviceFeed, DeviceWindowFeed, make_device_feed, resident_bytes
from vernier.data.feed import StoreFeed
from vernier.data.memory_store import MemoryStore
from vernier.data.packed import PackedImages, packed_index
from vernier.data.store_base import Reading

CPU = torch.device("cpu")
NORMALIZE = Normalize(mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3))
WINDOWS = {
    "crop, flip, normalise": (RandomCrop(size=(32, 32), padding=4), RandomHorizontalFlip(), NORMALIZE),
    "two crops": (RandomCrop(size=(30, 20), padding=3), RandomVerticalFlip(), RandomCrop(size=(25, 25), p=0.5)),
    "larger than the image": (CentralCrop(size=(45, 50)), RandomCrop(size=(60, 44)), NORMALIZE),
    "further than mirrored once": (RandomCrop(size=(36, 36), padding=40), RandomHorizontalFlip(p=1)),
    "colour alone": (NORMALIZE,),
}
HEAVY = (
    RandomResizedCrop(size=(24, 24)),
    RandomHorizontalFlip(),
    RandomRotate(degrees=20),
    ColorJitter(brightness=0.3, contrast=0.3, saturation=0.3, hue=0.1),
    NORMALIZE,
)


@pytest.fixture(scope="module")
def array(photos):
    crops = [photo[y : y + 32, x : x + 40] for photo in photos.values() for y in (0, 90, 200) for x in (5, 300, 555)]
    return np.stack(crops)


def plan_of(operations, **changes):
    options = {"channels": 3, "border": "constant", "fill": 30, "interpolation": "bilinear", "seed": 2}
    return compile_plan(operations, native_size=(32, 40), **{**options, **changes})


def store_of(images):
    index = packed_index(np.array([image.shape[:2] for image in images]), images[0].shape[2])
    packed = PackedImages(np.concatenate([image.reshape(-1) for image in images]), index, images[0].shape[2])
    return MemoryStore(packed, Reading("0" * 64, (), 1), "memory: a test")


@pytest.mark.parametrize("border", ["constant", "reflect", "replicate"])
@pytest.mark.parametrize("name", WINDOWS)
def test_windows_are_those_of_opencv(name, border, array):
    plan = plan_of(WINDOWS[name], border=border)
    feed = make_device_feed(store_of(array), plan, CPU)
    assert isinstance(feed, DeviceWindowFeed)
    for epoch, positions in enumerate(np.array([[0, 3, 17, 3, 9, 11], [5, 4, 3, 2, 1, 0]])):
        batch = feed.batch(positions, epoch)
        expected = OpenCVBackend(plan, 0).batch([array[position] for position in positions], positions, epoch)
        assert batch.is_contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(batch, expected, atol=1e-6, rtol=1e-6)


def test_other_plans_are_those_of_opencv_to_a_tolerance(array):
    plan = plan_of(HEAVY)
    feed = make_device_feed(store_of(array), plan, CPU)
    assert isinstance(feed, DeviceFeed)
    positions = np.array([7, 0, 12, 12])
    expected = OpenCVBackend(plan, 0).batch([array[position] for position in positions], positions, 3)
    difference = (feed.batch(positions, 3) - expected).abs()
    assert difference.mean() < 2e-3
    assert (difference > 0.05).float().mean() < 0.002


@pytest.mark.parametrize("operations", [WINDOWS["crop, flip, normalise"], HEAVY])
def test_a_row_does_not_depend_on_its_batch(operations, array):
    feed = make_device_feed(store_of(array), plan_of(operations), CPU)
    whole = feed.batch(np.arange(6), 1)
    alone = torch.cat([feed.batch(np.array([position]), 1) for position in range(6)])
    torch.testing.assert_close(whole, alone, atol=1e-5, rtol=0)


def test_grey_images(array):
    plan = plan_of((RandomCrop(size=(32, 32), padding=4), Normalize(mean=0.5, std=0.25)), channels=1)
    grey = array[..., :1]
    batch = make_device_feed(store_of(grey), plan, CPU).batch(np.arange(4), 0)
    torch.testing.assert_close(batch, OpenCVBackend(plan, 0).batch(list(grey[:4]), np.arange(4), 0))


def test_batches_in_the_type_of_training(array):
    plan = plan_of(WINDOWS["crop, flip, normalise"])
    windows = window_plan(plan)
    exact = DeviceWindowFeed(array, windows, CPU).batch(np.arange(5), 0)
    short = DeviceWindowFeed(array, windows, CPU, dtype=torch.bfloat16).batch(np.arange(5), 0)
    assert short.dtype == torch.bfloat16
    torch.testing.assert_close(short.float(), exact, atol=0.03, rtol=0.02)


def test_what_has_no_room_stays_in_the_store(array):
    plan = plan_of(WINDOWS["crop, flip, normalise"])
    needed = resident_bytes(array.shape, window_plan(plan))
    assert needed == len(array) * 40 * 48 * 3
    assert isinstance(make_device_feed(store_of(array), plan, CPU, limit=needed), DeviceWindowFeed)
    feed = make_device_feed(store_of(array), plan, CPU, limit=needed - 1)
    assert isinstance(feed, StoreFeed)
    expected = DeviceWindowFeed(array, window_plan(plan), CPU).batch(np.arange(3), 0)
    torch.testing.assert_close(feed.batch(np.arange(3), 0), expected, atol=1e-5, rtol=0)


def test_images_of_several_sizes_stay_in_the_store(array):
    images = [array[0], array[1][:20]]
    plan = plan_of((RandomResizedCrop(size=(24, 24)),))
    feed = make_device_feed(store_of(images), plan, CPU)
    assert isinstance(feed, StoreFeed)
    assert feed.batch(np.array([1, 0]), 0).shape == (2, 3, 24, 24)


@pytest.mark.parametrize("operations", [*WINDOWS.values(), HEAVY])
def test_no_step_reads_from_the_device(operations, array):
    """The meta device has shapes and no values: whatever asks it for a value fails."""
    feed = make_device_feed(store_of(array), plan_of(operations), torch.device("meta"))
    batch = feed.batch(np.arange(6), 0)
    assert batch.device.type == "meta"
    assert batch.shape[:2] == (6, 3)
    assert batch.is_contiguous(memory_format=torch.channels_last)
