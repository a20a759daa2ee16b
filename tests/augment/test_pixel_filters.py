"""Filters, against Pillow, SciPy and loops in float64."""

import numpy as np
import pytest
from PIL import Image, ImageEnhance
from pixel_samples import changed, sample
from scipy import ndimage

from vernier.augment.pixel.filters import sharpen
from vernier.config.operations.tone import Blur, GaussianBlur, Sharpness

RANDOM = np.random.default_rng(3)
TYPES = (np.uint8, np.float32)


def pixels(channels, size=(14, 17)):
    return RANDOM.integers(0, 256, (*size, channels), dtype=np.uint8)


@pytest.mark.parametrize("factor", [-1.0, -0.4, 0.0, 0.7, 3.0])
def test_sharpness_is_that_of_pillow(factor):
    """Pillow rounds the smoothed image, and its factor is 1 for what is unchanged."""
    image = pixels(3)
    expected = np.array(ImageEnhance.Sharpness(Image.fromarray(image)).enhance(1 + factor)).astype(int)
    result = sharpen(image, factor, sample())
    np.testing.assert_allclose(result, expected, atol=1 + abs(factor))
    edge = np.ones(image.shape, bool)
    edge[1:-1, 1:-1] = False
    np.testing.assert_array_equal(result[edge], image[edge])


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_sharpness_is_the_formula(channels, dtype):
    image = pixels(channels)
    smooth = ndimage.convolve(image.astype(np.float64), np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]])[..., None] / 13)
    expected = (image + 0.75 * (image - smooth)).clip(0, 255)
    result = changed(Sharpness(factor=1.5), image.astype(dtype), 0.5)
    np.testing.assert_allclose(result[1:-1, 1:-1], expected[1:-1, 1:-1], atol=1e-3)


def test_an_image_without_a_middle_is_not_sharpened():
    for size in ((1, 1), (2, 5), (1, 9)):
        image = pixels(3, size)
        np.testing.assert_array_equal(changed(Sharpness(), image), image)


MODES = {"reflect": "symmetric", "replicate": "edge", "constant": "constant"}


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("border", MODES)
@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 20])
def test_blur_is_the_mean_of_a_square(size, border, dtype):
    for channels in (1, 3, 5):
        image = pixels(channels, (9, 12))
        before = (size - 1) // 2
        around = np.pad(image.astype(np.float64), [(before, size - 1 - before)] * 2 + [(0, 0)], MODES[border])
        windows = np.lib.stride_tricks.sliding_window_view(around, (size, size), axis=(0, 1))
        result = changed(Blur(size=size, border=border), image.astype(dtype))
        np.testing.assert_allclose(result, windows.mean(axis=(3, 4)), atol=1e-3)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("sigma", [0.1, 0.5, 1.3, 4.0])
def test_gaussian_blur_is_that_of_scipy(sigma, dtype):
    for channels in (1, 3, 5):
        image = pixels(channels, (11, 16))
        expected = ndimage.gaussian_filter(
            image.astype(np.float64), sigma, mode="reflect", radius=int(np.ceil(3 * sigma)), axes=(0, 1)
        )
        result = changed(GaussianBlur(sigma=sigma), image.astype(dtype))
        np.testing.assert_allclose(result, expected, atol=2e-3)


def test_nothing_to_blur():
    image = pixels(3)
    np.testing.assert_array_equal(changed(GaussianBlur(sigma=0.0), image), image)
    np.testing.assert_array_equal(changed(Blur(size=(1, 3)), image, 0.0), image)
