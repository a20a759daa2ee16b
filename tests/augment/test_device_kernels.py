"""Taps of smoothed kernels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import arange, float64, linspace, tensor
from torch.nn.functional import grid_sample

from vernier.augment.device_kernels import KERNELS, box_radius, boxes, smoothed
from vernier.augment.sampling import box_taps

VARIANCES = st.lists(st.one_of(st.just(0.0), st.floats(0.001, 4)), min_size=1, max_size=5)


@given(VARIANCES)
def test_boxes_are_those_of_the_sampling(variances):
    radius = int(box_radius(np.array(variances)).max())
    for row, variance in zip(boxes(np.array(variances), radius), variances, strict=True):
        taps = box_taps(variance)
        np.testing.assert_allclose(row, np.pad(taps, radius - len(taps) // 2), atol=1e-12)


@given(VARIANCES, st.sampled_from(sorted(KERNELS)), st.floats(0, 1))
def test_weights_add_up_to_1(variances, name, fraction):
    radius = int(box_radius(np.array(variances)).max())
    weights = smoothed(KERNELS[name], np.array(variances), radius) @ fraction ** np.arange(
        KERNELS[name].polynomials.shape[1]
    )
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-9)


@pytest.mark.parametrize("name", ["bilinear", "bicubic"])
def test_kernels_are_those_of_grid_sample(name):
    signal = np.random.default_rng(0).normal(size=12)
    fractions = np.linspace(0, 0.99, 9)
    kernel = KERNELS[name]
    weights = fractions[:, None, None] ** np.arange(kernel.polynomials.shape[1]) * kernel.polynomials
    taps = signal[5 + kernel.first : 5 + kernel.first + len(kernel.polynomials)]
    ours = weights.sum(axis=2) @ taps
    x = (5.5 + tensor(fractions)) * 2 / 12 - 1
    grid = linspace(0, 0, 9, dtype=float64)
    positions = tensor(np.stack([x.numpy(), grid.numpy()], axis=1))[None, None]
    image = tensor(signal)[None, None, None] + 0 * arange(3)[:, None]
    theirs = grid_sample(image, positions, mode=name, align_corners=False)
    np.testing.assert_allclose(ours, theirs.flatten(), atol=1e-9)
