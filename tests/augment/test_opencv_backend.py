"""An image's result depends on its number, the epoch and the seed, and on nothing else."""

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vernier.augment.opencv_backend import OpenCVBackend
from vernier.augment.plan import compile_plan
from vernier.config.augment import (
    ColorJitter,
    Normalize,
    RandomCrop,
    RandomHorizontalFlip,
    RandomPerspective,
    RandomResizedCrop,
    RandomRotate,
    Shear,
)

EVERYTHING = (
    RandomResizedCrop(size=(40, 48)),
    RandomHorizontalFlip(),
    RandomRotate(degrees=15),
    Shear(x=5, y=5),
    RandomPerspective(distortion=0.3),
    ColorJitter(brightness=0.3, contrast=0.3, saturation=0.3, hue=0.1, p=0.8),
    Normalize(mean=(0.5, 0.4, 0.3), std=0.2),
)


def everything(threads, **changes):
    options = {"channels": 3, "border": "constant", "fill": 0, "interpolation": "bilinear", "seed": 1, **changes}
    return OpenCVBackend(compile_plan(EVERYTHING, **options), threads)


@pytest.fixture(scope="module")
def images(photos):
    """Eight pieces of different sizes."""
    starts = np.arange(8) * 20
    return [photos["china"][s : s + 80 + s, s : s + 150 - s // 2] for s in starts]


@pytest.fixture(scope="module")
def whole(images):
    return everything(0).batch(images, np.arange(8) * 7, 3)


@settings(deadline=None, max_examples=25)
@given(order=st.lists(st.integers(0, 7), min_size=1, max_size=9), threads=st.sampled_from([0, 1, 2, 5]))
def test_results_do_not_depend_on_batch_order_or_threads(order, threads, images, whole):
    result = everything(threads).batch([images[n] for n in order], np.array(order) * 7, 3)
    assert torch.equal(result, whole[order])


def test_the_batch_is_what_a_layer_takes(whole):
    assert whole.shape == (8, 3, 40, 48)
    assert whole.dtype == torch.float32
    assert whole.is_contiguous(memory_format=torch.channels_last)
    assert torch.isfinite(whole).all()


def test_epochs_seeds_and_samples_differ(images, whole):
    same = [images[0]] * 2
    first = everything(0).batch(same, np.array([0, 1]), 3)
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(everything(0).batch(same, np.array([0, 1]), 4)[0], first[0])
    assert not torch.equal(everything(0, seed=2).batch(same, np.array([0, 1]), 3)[0], first[0])


def test_an_empty_batch_is_empty():
    assert everything(2).batch([], np.array([], np.int64), 0).shape == (0, 3, 40, 48)


def test_images_are_only_read(images):
    locked = [image.copy() for image in images]
    for image in locked:
        image.flags.writeable = False
    torch.testing.assert_close(
        everything(2).batch(locked, np.arange(8), 0), everything(0).batch(images, np.arange(8), 0), rtol=0, atol=0
    )


def test_an_empty_list_hands_the_pixels_on(images):
    plan = compile_plan(
        (), channels=3, border="constant", fill=0, interpolation="bilinear", seed=0, native_size=(80, 150)
    )
    result = OpenCVBackend(plan, 0).batch(images[:1], np.array([0]), 0)
    np.testing.assert_array_equal(result[0].permute(1, 2, 0), images[0])


@pytest.mark.parametrize("threads", [0, 2])
def test_grey_images(threads, images):
    operations = (RandomCrop(size=(30, 40), padding=2), RandomRotate(), ColorJitter(contrast=0.4))
    plan = compile_plan(operations, channels=1, border="constant", fill=9, interpolation="bilinear", seed=0)
    colour = compile_plan(operations, channels=3, border="constant", fill=9, interpolation="bilinear", seed=0)
    greys = [image[..., :1] for image in images]
    result = OpenCVBackend(plan, threads).batch(greys, np.arange(8), 0)
    expected = OpenCVBackend(colour, 0).batch([np.repeat(grey, 3, axis=2) for grey in greys], np.arange(8), 0)
    assert result.shape == (8, 1, 30, 40)
    assert result.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(result, expected[:, :1], atol=1e-3, rtol=0)


def test_nearest_keeps_the_values(images):
    labels = [(image[..., :1] // 64) * 64 for image in images]
    operations = (RandomResizedCrop(size=(30, 30)), RandomRotate(degrees=20))
    plan = compile_plan(operations, channels=1, border="constant", fill=255, interpolation="nearest", seed=0)
    values = set(OpenCVBackend(plan, 0).batch(labels, np.arange(8), 0).unique().tolist())
    assert values <= {0, 64, 128, 192, 255}


def test_a_very_wide_image_is_cut_before_opencv_meets_its_limit():
    wide = np.zeros((3, 40_000, 3), np.uint8)
    wide[:, 20_000:] = 200
    plan = compile_plan(
        (RandomResizedCrop(size=(8, 8), scale=(1, 1), ratio=(10_000, 20_000)),),
        channels=3,
        border="constant",
        fill=0,
        interpolation="bilinear",
        seed=0,
    )
    result = OpenCVBackend(plan, 0).batch([wide], np.array([0]), 0)
    assert result.min() == 0
    assert result.max() == 200


def test_opencv_does_not_use_threads_of_its_own(images):
    cv2.setNumThreads(4)
    everything(0)
    assert cv2.getNumThreads() == 1
