"""Tiny images warped all at once are what OpenCV makes of them one after the other."""

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
    RandomPerspective,
    RandomResizedCrop,
    RandomRotate,
    RandomRotate90,
    RandomWindow,
    Resize,
    Shear,
    Translate,
    Zoom,
)
from vernier.data.tiny_feed import TinyFeed, is_tiny

LISTS = {
    "quickstart": (Translate(), RandomRotate(), Normalize(mean=0.5, std=0.5)),
    "crop and turns": (RandomCrop(size=(7, 7), padding=2), RandomRotate90(), RandomHorizontalFlip()),
    "larger": (Resize(size=(9, 9)), Shear(x=20, y=10)),
    "some shrink": (Zoom(scale=(0.5, 2)), RandomRotate(degrees=90)),
    "borders": (Pad(padding=(1, 0), border="wrap"), RandomWindow(), RandomFlip(mode="horizontal_and_vertical")),
    "drawn fill": (Translate(x=0.5, fill=(3, 200)),),
    "windows": (RandomResizedCrop(size=(6, 7)), ColorJitter(brightness=0.4, saturation=0.4)),
}


def make_plan(operations, channels=3, **changes):
    options = {"border": "constant", "fill": 0, "interpolation": "bilinear", "seed": 5, **changes}
    return compile_plan(operations, channels=channels, native_size=(8, 8), **options)


def pixels(channels=3, count=60):
    return np.random.default_rng(0).integers(0, 256, (count, 8, 8, channels), dtype=np.uint8)


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("border", ["constant", "reflect", "replicate", "wrap"])
@pytest.mark.parametrize("name", LISTS)
def test_images_are_what_opencv_makes(name, border, channels):
    images, plan = pixels(channels), make_plan(LISTS[name], channels, border=border, fill=77)
    assert is_tiny(images, plan)
    positions = np.random.default_rng(1).permutation(60)
    actual = TinyFeed(images, plan, Recycler().take).batch(positions, 4)
    expected = OpenCVBackend(plan, 0).batch([images[place] for place in positions], positions, 4)
    assert actual.shape == expected.shape
    assert actual.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(actual, expected, atol=2e-3, rtol=0)


@settings(deadline=None, max_examples=25)
@given(order=st.lists(st.integers(0, 59), min_size=1, max_size=20), name=st.sampled_from(sorted(LISTS)))
def test_an_image_depends_on_no_other(order, name):
    feed = TinyFeed(pixels(), make_plan(LISTS[name]), Recycler().take)
    whole = feed.batch(np.arange(60), 1)
    assert torch.equal(feed.batch(np.array(order), 1), whole[order])


@pytest.mark.parametrize(
    "operations",
    [
        (RandomRotate(), ColorJitter(contrast=0.3)),
        (RandomRotate(), RandomPerspective()),
        (RandomRotate(), ColorJitter(hue=0.1)),
        (ColorJitter(brightness=0.3), RandomRotate()),
        (Normalize(mean=0.5, std=0.5),),
    ],
)
def test_other_plans_go_one_by_one(operations):
    assert not is_tiny(pixels(), make_plan(operations, fill=9))


def test_larger_images_go_one_by_one():
    assert not is_tiny(np.zeros((2, 17, 17, 1), np.uint8), make_plan((RandomRotate(), CentralCrop(size=(8, 8))), 1))
    assert not is_tiny(pixels(), make_plan((Resize(size=(20, 20)),)))
    assert not is_tiny(None, make_plan((RandomRotate(),)))
    assert not is_tiny(pixels(), make_plan((RandomRotate(),), interpolation="nearest"))
