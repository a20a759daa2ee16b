"""Changes in HSV, against colorsys in float64."""

import colorsys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pixel_samples import changed

from vernier.augment.buffers import Scratch
from vernier.augment.pixel.hsv import turn_hue
from vernier.config.operations.tone import HSV, RGBToHSV, Saturation, Value

EXTREMES = [(a, b, c) for a in (0, 1, 128, 255) for b in (0, 127, 254, 255) for c in (0, 3, 255)]
COLOURS = np.concatenate([EXTREMES, np.random.default_rng(0).integers(0, 256, (300, 3))]).astype(np.uint8)[None]
TYPES = (np.uint8, np.float32)


def shifted(colours, turns=0.0, saturation=0.0, value=0.0):
    """Colours (1, N, 3) after the shifts, float64; greys keep saturation 0."""
    result = []
    for colour in colours[0].astype(np.float64) / 255:
        h, s, v = colorsys.rgb_to_hsv(*colour.clip(0, 1))
        s = min(max(s + saturation, 0), 1) if s else 0
        result.append(colorsys.hsv_to_rgb((h + turns) % 1, s, min(max(v + value, 0), 1)))
    return 255 * np.array(result)[None]


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("turns", [-0.97, -0.5, -0.05, 0.001, 1 / 6, 0.3, 0.999])
def test_a_turn_of_hue_is_exact(turns, dtype):
    result = turn_hue(COLOURS.astype(dtype), turns, Scratch())
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, shifted(COLOURS, turns), atol=0.02)


def test_hue_of_what_lies_outside_the_range_is_that_of_clipped_colours():
    outside = np.float32([[[-40, 100, 300.5], [256, 12.25, -0.5], [400, 500, 600]]])
    np.testing.assert_allclose(turn_hue(outside, 0.2, Scratch()), shifted(outside, 0.2), atol=0.02)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("delta", [-1.0, -0.3, 0.2, 1.0])
def test_saturation_and_value_are_those_of_colorsys(delta, dtype):
    image = COLOURS.astype(dtype)
    result = changed(Saturation(delta=(delta, delta)), image)
    np.testing.assert_allclose(result, shifted(COLOURS, saturation=delta), atol=0.02)
    result = changed(Value(delta=(delta, delta)), image)
    np.testing.assert_allclose(result, shifted(COLOURS, value=delta), atol=0.02)


def test_all_three_at_once():
    operation = HSV(hue=(-0.4, 0.4), saturation=(0, 0.5), value=(-0.5, 0))
    result = changed(operation, COLOURS, 0.75, 0.5, 0.25)
    np.testing.assert_allclose(result, shifted(COLOURS, 0.2, 0.25, -0.375), atol=0.02)


@pytest.mark.parametrize("dtype", TYPES)
def test_planes_of_hsv(dtype):
    expected = 255 * np.array([colorsys.rgb_to_hsv(*colour) for colour in COLOURS[0] / 255])[None]
    np.testing.assert_allclose(changed(RGBToHSV(), COLOURS.astype(dtype)), expected, atol=0.02)


@pytest.mark.parametrize("dtype", TYPES)
def test_grey_images_have_a_value_only(dtype):
    grey = np.arange(256).reshape(16, 16, 1).astype(dtype)
    brighter = (grey + 51.0).clip(0, 255)
    np.testing.assert_allclose(changed(Value(delta=(0.2, 0.2)), grey), brighter, atol=1e-4)
    np.testing.assert_allclose(changed(HSV(value=(0.2, 0.2)), grey), brighter, atol=1e-4)
    np.testing.assert_array_equal(changed(Saturation(), grey), grey)
    np.testing.assert_array_equal(changed(RGBToHSV(), grey), grey)


@given(u=st.floats(0, 0.999), v=st.floats(0, 0.999), w=st.floats(0, 0.999))
def test_results_stay_in_the_range_and_inputs_as_they_are(u, v, w):
    image = np.array([[[255, 0, 3], [9, 9, 9], [0, 0, 0], [1, 200, 255]]], np.float32)
    before = image.copy()
    result = changed(HSV(hue=0.5, saturation=1.0, value=1.0), image, u, v, w)
    assert result.min() >= -1e-3
    assert result.max() <= 255.001
    np.testing.assert_array_equal(image, before)
