"""Changes by histogram, against Pillow and sorted pixels."""

import numpy as np
import pytest
from PIL import Image, ImageOps
from pixel_samples import changed, sample

from vernier.augment.pixel.histogram import auto_contrast, equalize
from vernier.config.operations.tone import AutoContrast, Equalize


@pytest.fixture
def image(photos):
    return (photos["flower"][100:160, 200:270] * 0.6 + 20).astype(np.uint8)


FLAT = np.full((9, 7, 3), 77, np.uint8)
TWO = np.where(np.arange(30).reshape(5, 6, 1) < 7, 40, 90).astype(np.uint8).repeat(3, axis=2)


@pytest.mark.parametrize("cutoff", [0, 1, 10, 33.3, 49])
def test_auto_contrast_is_that_of_pillow(cutoff, image):
    """Pillow rounds down, and the differences are of this kind only."""
    for each in (image, FLAT, TWO):
        expected = np.array(ImageOps.autocontrast(Image.fromarray(each), cutoff)).astype(int)
        more = auto_contrast(each, cutoff, sample()).astype(int) - expected
        assert set(np.unique(more)) <= {0, 1}


@pytest.mark.parametrize("cutoff", [0, 5, 10, 30])
def test_auto_contrast_is_the_formula(cutoff, image):
    ordered = np.sort(image.reshape(-1, 3).astype(np.float64), axis=0)
    left_out = len(ordered) * cutoff // 100
    low, high = ordered[left_out], ordered[len(ordered) - 1 - left_out]
    expected = ((image - low) * 255 / (high - low)).clip(0, 255)
    np.testing.assert_allclose(auto_contrast(image, cutoff, sample()), expected, atol=0.5 + 1e-9)


def test_equalize_is_that_of_pillow(image):
    for each in (image, FLAT, TWO, np.zeros((40, 40, 3), np.uint8)):
        expected = np.array(ImageOps.equalize(Image.fromarray(each)))
        np.testing.assert_array_equal(equalize(each, sample()), expected)


@pytest.mark.parametrize("operation", [AutoContrast(), Equalize()])
def test_grey_and_float_images(operation, image):
    whole = changed(operation, image)
    np.testing.assert_array_equal(changed(operation, image[..., :1])[..., 0], whole[..., 0])
    np.testing.assert_array_equal(changed(operation, image.astype(np.float32) + 0.3), whole)
