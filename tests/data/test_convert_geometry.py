"""Where pixels go when images are made one size."""

import cv2
import numpy as np
import pytest
from PIL import Image

from vernier.data.convert.geometry import center_crop, fit, scale, square_margin

WIDE = np.arange(3 * 6, dtype=np.uint8).reshape(3, 6, 1) + 1


def test_the_square_in_the_middle_begins_where_whole_numbers_say():
    assert center_crop(WIDE)[:, :, 0].tolist() == [[2, 3, 4], [8, 9, 10], [14, 15, 16]]
    assert center_crop(WIDE.transpose(1, 0, 2))[:, :, 0].tolist() == [[2, 8, 14], [3, 9, 15], [4, 10, 16]]


def test_the_margin_is_black_and_the_odd_row_is_below():
    square = square_margin(WIDE)[:, :, 0]
    assert square.shape == (6, 6)
    assert square[1:4].tolist() == WIDE[:, :, 0].tolist()
    assert square.sum() == WIDE.sum(dtype=int)
    assert square_margin(WIDE.transpose(1, 0, 2))[:, 1:4, 0].tolist() == WIDE[:, :, 0].T.tolist()


@pytest.mark.parametrize("preprocessing", ["CENTER_CROP_THEN_SCALE", "SQUARE_MARGIN_THEN_SCALE"])
def test_sizes_are_height_and_width(preprocessing):
    image = np.zeros((40, 60, 3), np.uint8)
    assert fit(image, preprocessing, (20, 30)).shape == (20, 30, 3)
    assert fit(image, preprocessing, (80, 10)).shape == (80, 10, 3)
    assert fit(image[:, :, :1], preprocessing, (7, 90)).shape == (7, 90, 1)
    assert fit(image, preprocessing, (40, 60)) is image


def test_golden_values_of_a_size_that_is_not_square():
    image = np.zeros((4, 8, 1), np.uint8)
    image[:, 2:4], image[:, 4:6] = 40, 200
    crop = fit(image, "CENTER_CROP_THEN_SCALE", (2, 4))[:, :, 0]
    assert crop.tolist() == [[40, 40, 200, 200]] * 2
    margin = fit(image, "SQUARE_MARGIN_THEN_SCALE", (4, 2))[:, :, 0]
    assert margin.tolist() == [[0, 0], [20, 100], [20, 100], [0, 0]]


def test_shrinking_is_the_mean_over_the_area():
    image = np.random.default_rng(0).integers(0, 256, (12, 20, 3), np.uint8)
    means = image.reshape(4, 3, 5, 4, 3).mean(axis=(1, 3))
    assert np.abs(scale(image, (4, 5)).astype(float) - means).max() <= 0.501


def test_a_ratio_that_is_not_whole_is_pillows_box(photos):
    photo = photos["china"]
    expected = np.asarray(Image.fromarray(photo).resize((100, 75), Image.Resampling.BOX)).astype(float)
    scaled = scale(photo, (75, 100)).astype(float)
    # Pillow's box takes whole pixels, ours parts of them too.
    assert np.sqrt(((scaled - expected) ** 2).mean()) < 5
    exact = cv2.resize(photo.astype(np.float64), (100, 75), interpolation=cv2.INTER_AREA)
    assert np.abs(scaled - exact).max() <= 0.6


def test_one_axis_may_shrink_and_the_other_grow():
    image = np.zeros((4, 2, 1), np.uint8)
    image[::2] = 100
    assert scale(image, (2, 4))[:, :, 0].tolist() == [[50] * 4] * 2


def test_growing_is_bilinear():
    image = np.array([[[0], [100]]], np.uint8)
    assert scale(image, (1, 4))[0, :, 0].tolist() == [0, 25, 75, 100]
