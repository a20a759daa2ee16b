"""Noise and JPEG."""

import io

import numpy as np
import pytest
from PIL import Image
from pixel_samples import changed
from scipy import stats

from vernier.config.operations.tone import JPEG, GaussianNoise

GREY = np.full((150, 151, 3), 128, np.uint8)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_noise_is_normal(dtype):
    noise = (changed(GaussianNoise(std=(0.01, 0.03)), GREY.astype(dtype), 0.5, key=5) - 128).ravel() / (0.02 * 255)
    assert stats.kstest(noise, "norm").pvalue > 1e-3
    assert noise.std() == pytest.approx(1, abs=4 / np.sqrt(2 * noise.size))
    assert abs(stats.kurtosis(noise)) < 4 * np.sqrt(24 / noise.size)


def test_pixels_and_channels_are_independent():
    noise = changed(GaussianNoise(std=0.02), GREY, key=6) - 128
    pairs = [(noise[1:], noise[:-1]), (noise[:, 1:], noise[:, :-1]), (noise[..., 0], noise[..., 2])]
    for one, other in pairs:
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 4 / np.sqrt(one.size)


def test_noise_depends_on_the_key_alone():
    operation = GaussianNoise(std=0.02)
    first, again, other = (changed(operation, GREY, key=key) for key in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert abs(np.corrcoef(first.ravel(), other.ravel())[0, 1]) < 4 / np.sqrt(first.size)


def test_noise_is_clipped():
    image = np.zeros((30, 31, 1), np.uint8)
    image[:, ::2] = 255
    result = changed(GaussianNoise(std=0.5), image)
    assert result.shape == image.shape
    assert (result.min(), result.max()) == (0, 255)


@pytest.fixture
def image(photos):
    return photos["china"][100:173, 200:290]


@pytest.mark.parametrize("quality", [10, 60, 97])
def test_jpeg_is_that_of_pillow(quality, image):
    """The discrete cosine transform is a faster one below 96, which loses hardly more."""
    for each, mode in ((image, "RGB"), (np.ascontiguousarray(image[..., :1]), "L")):
        encoded = io.BytesIO()
        Image.fromarray(each if mode == "RGB" else each[..., 0]).save(
            encoded, "JPEG", quality=quality, subsampling="4:2:0" if mode == "RGB" else -1
        )
        expected = np.array(Image.open(encoded)).reshape(each.shape).astype(int)
        result = changed(JPEG(quality=quality), each)
        assert result.shape == each.shape
        loss = np.abs(expected - each).mean()
        assert np.abs(result.astype(int) - each).mean() == pytest.approx(loss, rel=0.05)
        assert np.abs(result - expected).mean() < (0.5 * loss if quality < 96 else 1e-9)


def test_jpeg_of_floats_is_that_of_their_bytes(image):
    operation = JPEG(quality=(40, 60))
    near = image + np.float32(0.3)
    np.testing.assert_array_equal(changed(operation, near, 0.2), changed(operation, image, 0.2))
    np.testing.assert_array_equal(changed(operation, image, 0.999), changed(JPEG(quality=60), image))


def test_jpeg_takes_any_quality_and_size():
    for quality in (1, 100):
        for size in ((1, 1), (3, 17)):
            assert changed(JPEG(quality=quality), np.full((*size, 3), 90, np.uint8)).shape == (*size, 3)
