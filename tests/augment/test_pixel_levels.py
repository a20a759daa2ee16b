"""Changes of single numbers, against Pillow, torchvision and formulas in float64."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from pixel_samples import changed, sample
from torchvision.transforms.v2 import functional as tv

from vernier.augment.pixel.levels import correct_gamma, posterize, solarize
from vernier.config.operations.tone import Clip, Gamma, Posterize, Solarize

IMAGE = np.random.default_rng(1).integers(0, 256, (20, 30, 3), dtype=np.uint8)
BETWEEN = IMAGE + np.random.default_rng(2).uniform(-0.499, 0.499, IMAGE.shape).astype(np.float32)


@pytest.mark.parametrize("bits", range(1, 9))
def test_posterize_is_that_of_pillow(bits):
    expected = np.array(ImageOps.posterize(Image.fromarray(IMAGE), bits))
    np.testing.assert_array_equal(posterize(IMAGE, bits, sample()), expected)
    np.testing.assert_array_equal(posterize(BETWEEN, bits, sample()), expected)


@pytest.mark.parametrize("threshold", [0, 1, 100, 255])
def test_solarize_is_that_of_pillow(threshold):
    expected = np.array(ImageOps.solarize(Image.fromarray(IMAGE), threshold))
    np.testing.assert_array_equal(solarize(IMAGE, threshold, sample()), expected)
    np.testing.assert_array_equal(solarize(BETWEEN, threshold, sample()), expected)


@pytest.mark.parametrize("gamma", [0.2, 0.7, 1.0, 1.4, 3.0])
def test_gamma_is_that_of_torchvision(gamma):
    expected = tv.adjust_gamma(torch.from_numpy(IMAGE).double() / 255, gamma) * 255
    np.testing.assert_allclose(correct_gamma(IMAGE, gamma, sample()), expected, atol=1e-3)
    np.testing.assert_allclose(correct_gamma(IMAGE.astype(np.float32), gamma, sample()), expected, atol=1e-3)
    outside = correct_gamma(np.float32([[[-20, 300, 255]]]), gamma, sample())
    np.testing.assert_allclose(outside, [[[0, 255, 255]]], atol=1e-3)


def test_clip():
    image = np.float32([[[-3, 20.5, 300]]])
    np.testing.assert_array_equal(changed(Clip(), image), [[[0, 20.5, 255]]])
    np.testing.assert_array_equal(changed(Clip(low=30.5, high=100), image), [[[30.5, 30.5, 100]]])
    np.testing.assert_array_equal(changed(Clip(low=30.5, high=100), IMAGE), IMAGE.clip(30.5, 100))
    np.testing.assert_array_equal(changed(Clip(), IMAGE), IMAGE)


@pytest.mark.parametrize(("operation", "count"), [(Posterize(bits=(3, 6)), 4), (Solarize(threshold=(10, 250)), 241)])
def test_both_ends_of_a_range_of_whole_numbers_are_drawn_as_often_as_the_others(operation, count):
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    results = [changed(operation, ramp, (place + 0.5) / count).tobytes() for place in range(count)]
    assert len(set(results)) == count
    assert changed(operation, ramp, 0.0).tobytes() == results[0]
    assert changed(operation, ramp, 1 - 2**-53).tobytes() == results[-1]


def test_the_gamma_of_a_range():
    image = np.full((1, 1, 1), 64, np.uint8)
    np.testing.assert_allclose(changed(Gamma(gamma=(0.5, 1.5)), image, 0.25), 255 * (64 / 255) ** 0.75, rtol=1e-6)
    np.testing.assert_allclose(changed(Gamma(gamma=2.0), image, 0.25), 255 * (64 / 255) ** 2, rtol=1e-6)
