"""Windows of a padded set are what OpenCV makes of the same draws, one image after the other."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vernier.augment.buffers import Recycler
from vernier.augment.opencv_backend import OpenCVBackend
from vernier.augment.plan import compile_plan
from vernier.config.augment import (
    CentralCrop,
    ColorJitter,
    Normalize,
    Pad,
    RandomCrop,
    RandomFlip,
    RandomHorizontalFlip,
    RandomResizedCrop,
    RandomRotate,
    RandomVerticalFlip,
    Rescale,
    Translate,
)
from vernier.data.window_feed import WindowFeed, takes_windows

COUNT = 7
SIDES = st.integers(1, 14)
SIZES = st.tuples(SIDES, SIDES)
CHANCES = st.sampled_from([0.0, 0.5, 1.0])
GEOMETRY = st.one_of(
    st.builds(RandomCrop, size=SIZES, padding=st.integers(0, 5), p=CHANCES),
    st.builds(CentralCrop, size=SIZES),
    st.builds(Pad, padding=st.tuples(*[st.integers(0, 3)] * 4)),
    st.builds(RandomFlip, mode=st.sampled_from(["horizontal", "vertical", "horizontal_and_vertical"]), p=CHANCES),
    st.builds(RandomHorizontalFlip, p=CHANCES),
    st.builds(RandomVerticalFlip, p=CHANCES),
)
COLOUR = st.sampled_from([(), (Normalize(mean=0.4, std=0.25),), (Rescale(), Normalize(mean=0.5, std=0.5))])


def make_plan(operations, size, channels=3, **changes):
    options = {"border": "constant", "fill": 0, "interpolation": "bilinear", "seed": 5, **changes}
    return compile_plan(operations, channels=channels, native_size=size, **options)


def pixels(size, channels, count=COUNT):
    return np.random.default_rng(0).integers(0, 256, (count, *size, channels), dtype=np.uint8)


def both(images, plan, epoch=2):
    assert takes_windows(images, plan)
    positions = np.array([3, 0, 6, 3, 5])
    expected = OpenCVBackend(plan, 0).batch([images[place] for place in positions], positions, epoch)
    return WindowFeed(images, plan, Recycler().take).batch(positions, epoch), expected


@settings(deadline=None, max_examples=150)
@given(
    geometry=st.lists(GEOMETRY, max_size=4),
    colour=COLOUR,
    size=SIZES,
    channels=st.sampled_from([1, 3, 5]),
    border=st.sampled_from(["constant", "reflect", "replicate", "wrap"]),
    fill=st.integers(0, 255),
    interpolation=st.sampled_from(["bilinear", "nearest"]),
)
def test_windows_are_what_opencv_makes(geometry, colour, size, channels, border, fill, interpolation):
    plan = make_plan((*geometry, *colour), size, channels, border=border, fill=fill, interpolation=interpolation)
    actual, expected = both(pixels(size, channels), plan)
    assert actual.shape == expected.shape
    assert actual.stride() == expected.stride()
    torch.testing.assert_close(actual, expected, atol=1e-6, rtol=1e-6)


def test_channels_have_statistics_of_their_own():
    operations = (RandomCrop(size=(32, 32), padding=4), Normalize(mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.3)))
    actual, expected = both(pixels((32, 32), 3), make_plan(operations, (32, 32)))
    torch.testing.assert_close(actual, expected, atol=1e-6, rtol=0)
    assert actual.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    "operations",
    [
        (RandomCrop(size=(8, 8)), RandomRotate()),
        (Translate(), RandomHorizontalFlip()),
        (RandomResizedCrop(size=(8, 8)),),
        (RandomCrop(size=(8, 8)), ColorJitter(brightness=0.2)),
        (RandomCrop(size=(8, 8)), Normalize(mean=0.5, std=0.5, p=0.5)),
        (CentralCrop(fraction=0.5),),
        (RandomCrop(size=(8, 8), padding=2, fill=(0, 255)),),
        (RandomCrop(size=(8, 8), padding=2, border="wrap"), RandomCrop(size=(8, 8), padding=2)),
        (Rescale(offset=3.0), RandomCrop(size=(8, 8), padding=4)),
    ],
)
def test_other_plans_are_no_windows(operations):
    assert not takes_windows(pixels((8, 8), 3), make_plan(operations, (8, 8)))


def test_only_small_images_that_lie_together_are_cut_so():
    plan = make_plan((RandomCrop(size=(64, 64), padding=4),), None)
    assert takes_windows(pixels((64, 64), 3), plan)
    assert not takes_windows(pixels((64, 65), 3), plan)
    assert not takes_windows(None, plan)
    many = np.broadcast_to(np.zeros((1, 64, 64, 3), np.uint8), (200_000, 64, 64, 3))
    assert not takes_windows(many, plan)


def test_batches_asked_for_by_several_threads_are_those_of_one():
    images = pixels((8, 8), 1, 200)
    feed = WindowFeed(images, make_plan((RandomCrop(size=(8, 8), padding=2),), (8, 8), 1), Recycler().take)
    alone = [feed.batch(np.arange(64), epoch).clone() for epoch in range(40)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda epoch: feed.batch(np.arange(64), epoch), range(40)))
    assert all(torch.equal(one, other) for one, other in zip(alone, together, strict=True))
