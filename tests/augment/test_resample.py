import math
from fractions import Fraction

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch.nn.functional import interpolate

from vernier.augment.resample import AxisStep, Kernel, axis_matrix, banded_axis, resample, resampling_matrix

SIZES = st.integers(1, 70)
NAMES = ["bilinear", "bicubic", "nearest", "area", "lanczos3", "lanczos5", "gaussian", "mitchellcubic"]
KERNELS = st.sampled_from(NAMES)


@given(SIZES, SIZES, st.sampled_from(["bilinear", "bicubic"]))
@settings(max_examples=60, deadline=None)
def test_matrix_is_torchs_antialiased_interpolate(before, after, kernel):
    image = np.random.default_rng(before).uniform(0, 255, (1, 1, before, before))
    expected = interpolate(torch.from_numpy(image), size=(after, after), mode=kernel, antialias=True)
    matrix = resampling_matrix(before, after, interpolation=kernel)
    np.testing.assert_allclose(matrix @ image[0, 0] @ matrix.T, expected[0, 0].numpy(), atol=1e-8)


def test_without_antialias_it_is_torchs_plain_interpolate():
    image = np.random.default_rng(0).uniform(0, 255, (1, 1, 1, 50))
    expected = interpolate(torch.from_numpy(image), size=(1, 20), mode="bilinear", align_corners=False)
    matrix = resampling_matrix(50, 20, antialias=False)
    np.testing.assert_allclose(matrix @ image[0, 0, 0], expected[0, 0, 0].numpy(), atol=1e-10)


@given(st.integers(4, 60), st.integers(4, 60))
@settings(max_examples=60, deadline=None)
def test_lanczos3_and_area_are_pillows_and_opencvs(before, after):
    image = np.random.default_rng(before).uniform(0, 255, (before, before)).astype(np.float32)
    matrix = resampling_matrix(before, after, interpolation="lanczos3")
    expected = np.asarray(Image.fromarray(image).resize((after, after), Image.Resampling.LANCZOS))
    np.testing.assert_allclose(matrix @ image @ matrix.T, expected, atol=2e-3)
    if after <= before:
        matrix = resampling_matrix(before, after, interpolation="area")
        expected = cv2.resize(image, (after, after), interpolation=cv2.INTER_AREA)
        np.testing.assert_allclose(matrix @ image @ matrix.T, expected, atol=2e-3)


def _sinc_window(lobes):
    def kernel(x):
        return 1.0 if x == 0 else 0.0 if abs(x) >= lobes else _sinc(x) * _sinc(x / lobes)

    return kernel


def _sinc(x):
    return math.sin(math.pi * x) / (math.pi * x)


def _mitchell(x):
    b, c, x = Fraction(1, 3), Fraction(1, 3), abs(Fraction(x))
    if x < 1:
        return float(((12 - 9 * b - 6 * c) * x**3 + (-18 + 12 * b + 6 * c) * x**2 + (6 - 2 * b)) / 6)
    if x < 2:
        far = (-b - 6 * c) * x**3 + (6 * b + 30 * c) * x**2 + (-12 * b - 48 * c) * x + (8 * b + 24 * c)
        return float(far / 6)
    return 0.0


FORMULAS = {
    "lanczos3": (_sinc_window(3), 3),
    "lanczos5": (_sinc_window(5), 5),
    "gaussian": (lambda x: math.exp(-(x**2) / (2 * 0.5**2)) if abs(x) < 1.5 else 0.0, 1.5),
    "mitchellcubic": (_mitchell, 2),
}


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize(("before", "after"), [(10, 7), (7, 10), (31, 8), (3, 9)])
@pytest.mark.parametrize("antialias", [True, False])
def test_weights_are_those_of_the_published_formula(name, before, after, antialias):
    formula, _ = FORMULAS[name]
    stretch = max(before / after, 1) if antialias else 1
    expected = np.empty((after, before))
    for place in range(after):
        centre = (place + 0.5) * before / after
        row = [formula((column + 0.5 - centre) / stretch) for column in range(before)]
        expected[place] = np.array(row) / sum(row)
    matrix = resampling_matrix(before, after, interpolation=name, antialias=antialias)
    np.testing.assert_allclose(matrix, expected, atol=1e-12)


@given(SIZES, SIZES)
@settings(deadline=None)
def test_nearest_takes_the_pixel_under_each_centre(before, after):
    matrix = resampling_matrix(before, after, interpolation="nearest")
    centres = [int(Fraction(2 * place + 1, 2) * before / after) for place in range(after)]
    np.testing.assert_array_equal(matrix, np.eye(before)[centres])


@given(SIZES, SIZES, KERNELS, st.integers(-5, 60), st.integers(1, 30))
@settings(deadline=None)
def test_a_window_is_rows_of_the_whole_and_zeros_outside(before, after, kernel, start, length):
    whole = resampling_matrix(before, after, interpolation=kernel)
    np.testing.assert_allclose(whole.sum(axis=1), 1)
    padded = np.pad(whole, ((5, 100), (0, 0)))
    window = resampling_matrix(before, after, start, start + length, interpolation=kernel)
    np.testing.assert_array_equal(window, padded[start + 5 : start + 5 + length])


@pytest.mark.parametrize("kernel", NAMES)
def test_the_same_size_is_the_identity(kernel):
    np.testing.assert_array_equal(resampling_matrix(37, 37, interpolation=kernel), np.eye(37))


STEPS = st.lists(
    st.tuples(st.one_of(st.none(), st.integers(1, 40)), st.integers(-4, 8), st.integers(1, 30)), max_size=3
)


@given(SIZES, STEPS, KERNELS)
@settings(deadline=None)
def test_a_chain_is_the_product_of_its_steps(size, drawn, kernel):
    steps, product, length = [], np.eye(size), size
    for resized, start, window in drawn:
        resized = length if resized is None else resized
        steps.append(AxisStep(resized, start, start + window, Kernel(kernel)))
        product = resampling_matrix(length, *steps[-1][:3], interpolation=kernel) @ product
        length = window
    np.testing.assert_allclose(axis_matrix(steps, size), product, atol=1e-12)


@given(
    st.tuples(st.integers(1, 60), st.integers(1, 60), st.sampled_from([1, 3])),
    st.tuples(st.integers(1, 50), st.integers(-6, 20), st.integers(1, 50)),
    KERNELS,
)
@settings(deadline=None)
def test_bands_give_what_whole_matrices_give(shape, drawn, kernel):
    image = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    steps = (AxisStep(drawn[0], drawn[1], drawn[1] + drawn[2], Kernel(kernel)),)
    rows, columns = (axis_matrix(steps, size) for size in shape[:2])
    result = resample(image, *(banded_axis(steps, size) for size in shape[:2]))
    expected = np.einsum("ab,bcd,ec->dae", rows, image.astype(np.float64), columns)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected, atol=1e-3)


def test_a_large_image_in_several_parts_is_right(photos):
    image = np.tile(photos["china"], (5, 5, 1))
    steps = (AxisStep(64, 0, 64),)
    result = resample(image, *(banded_axis(steps, size) for size in image.shape[:2]))
    rows, columns = (axis_matrix(steps, size) for size in image.shape[:2])
    expected = rows @ image.transpose(2, 0, 1).astype(np.float64) @ columns.T
    np.testing.assert_allclose(result, expected, atol=1e-3)


def test_shared_arrays_are_read_only():
    axis = banded_axis((AxisStep(10, 0, 10),), 20)
    assert axis is banded_axis((AxisStep(10, 0, 10),), 20)
    with pytest.raises(ValueError, match="read-only"):
        axis.bands[0].weights[:] = 0
