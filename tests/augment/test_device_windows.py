"""Which plans are windows, and how far they reach."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vernier.augment.device_windows import window_plan
from vernier.augment.plan import compile_plan
from vernier.config.augment import (
    CentralCrop,
    ColorJitter,
    Normalize,
    Pad,
    RandomCrop,
    RandomFlip,
    RandomHorizontalFlip,
    RandomRotate,
    RandomVerticalFlip,
    Rescale,
    Resize,
)


def windows_of(operations, native_size=(12, 15), **changes):
    options = {"channels": 3, "border": "constant", "fill": 0, "interpolation": "bilinear", "seed": 4}
    return window_plan(compile_plan(operations, native_size=native_size, **{**options, **changes}))


@pytest.mark.parametrize(
    "operations",
    [
        (RandomRotate(),),
        (Resize(size=(8, 8)),),
        (RandomCrop(size=(8, 8), padding=2, fill=(0, 255)),),
        (ColorJitter(brightness=0.5),),
        (ColorJitter(hue=0.5),),
        (Normalize(mean=0.5, std=0.5, p=0.5),),
    ],
)
def test_other_plans_are_no_windows(operations):
    assert windows_of(operations) is None


def test_colour_in_front_of_a_filled_border_is_no_window():
    operations = (Normalize(mean=0.5, std=0.5), RandomCrop(size=(12, 12), padding=2))
    assert windows_of(operations, fill=10) is None
    assert windows_of(operations, border="reflect") is not None


def test_colour_is_one_scale_and_one_offset():
    windows = windows_of((Rescale(scale=0.5, offset=8), Normalize(mean=(0, 0.5, 1), std=0.5)))
    np.testing.assert_allclose(windows.scale, 1 / 255)
    np.testing.assert_allclose(windows.offset, 8 * 2 / 255 - np.array([0, 1, 2]))


CROPS = st.builds(
    RandomCrop,
    size=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    padding=st.integers(0, 5),
)
CENTRAL = st.builds(CentralCrop, size=st.tuples(st.integers(1, 20), st.integers(1, 20)))
PADS = st.builds(Pad, padding=st.tuples(*[st.integers(0, 5)] * 4))
FLIPS = st.sampled_from([RandomHorizontalFlip(), RandomVerticalFlip(), RandomFlip(mode="horizontal_and_vertical")])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(CROPS, CENTRAL, PADS, FLIPS), min_size=1, max_size=4))
def test_no_window_reaches_further_than_the_overhang(operations):
    windows = windows_of(operations)
    warp = windows.warps(np.arange(40), 0, (12, 15))
    corners = np.array([[0.5, 0.5], [1.0, 1.0]])
    far = np.concatenate([corners[:1].repeat(40, 0), warp.sizes[:, ::-1] - 0.5]).reshape(2, 40, 2)
    overhang = windows.overhang((12, 15))
    for points in far:
        places = np.einsum("nij,nj->ni", warp.matrices, np.concatenate([points, np.ones((40, 1))], axis=1))
        np.testing.assert_allclose(places[:, :2] % 1, 0.5)
        assert (places[:, :2] >= -overhang).all()
        assert (places[:, 0] <= 15 + overhang).all()
        assert (places[:, 1] <= 12 + overhang).all()
