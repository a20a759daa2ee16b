"""What a warp reads of its source."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vernier.augment.geometry import Warp
from vernier.augment.sampling import box_taps, inside_rows, is_smoothed, leaves_source, plan_sampling


def scaling(y, x, size, source):
    matrices = np.diag([x, y, 1.0])[None]
    return Warp(matrices, np.array([source]), np.array([size]))


@given(variance=st.floats(0.001, 4))
def test_box_taps_have_the_variance(variance):
    taps = box_taps(variance)
    places = np.arange(len(taps)) - len(taps) // 2
    assert taps.sum() == pytest.approx(1)
    assert taps @ places**2 == pytest.approx(variance)
    assert (taps >= -1e-12).all()
    assert (taps[1:-1].max() - taps[1:-1].min()) < 1e-12
    assert taps[0] == taps[-1] <= taps[1] + 1e-12


def test_a_whole_box_has_equal_taps():
    np.testing.assert_allclose(box_taps(5**2 / 12 - 1 / 12), [0.2] * 5)
    assert box_taps(0.0).tolist() == [1.0]


def test_nothing_is_smoothed_where_nothing_shrinks():
    sampling = plan_sampling(scaling(1, 0.5, (50, 60), (50, 30)), border="constant", smooth=True)
    assert not sampling.variances.any()
    assert not sampling.halvings.any()


def test_each_axis_is_reduced_by_itself():
    sampling = plan_sampling(scaling(2, 20, (50, 50), (100, 1000)), border="constant", smooth=True)
    assert sampling.halvings.tolist() == [[0, 3]]
    np.testing.assert_allclose(sampling.variances, [[4 / 12, (2.5**2 - 3 * (1 - 1 / 64)) / 12]])
    nearest = plan_sampling(scaling(2, 20, (50, 50), (100, 1000)), border="constant", smooth=False)
    assert not nearest.halvings.any()


def test_only_the_window_is_read():
    warp = scaling(1, 1, (10, 20), (500, 600))
    warp.matrices[0, :2, 2] = [100, 200]
    sampling = plan_sampling(warp, border="constant", smooth=True)
    assert sampling.windows.tolist() == [[195, 95, 215, 125]]
    np.testing.assert_allclose(sampling.matrices[0], [[1, 0, 5], [0, 1, 5], [0, 0, 1]])


@pytest.mark.parametrize(("shift", "window"), [(-30, [0, 35]), (85, [80, 100]), (-200, [0, 100])])
def test_a_reflected_window_holds_what_is_mirrored(shift, window):
    warp = scaling(1, 1, (20, 20), (100, 100))
    warp.matrices[0, 0, 2] = shift
    left, right = plan_sampling(warp, border="reflect", smooth=True).windows[0, [1, 3]]
    assert left <= window[0]
    assert right >= window[1]


@given(
    entries=st.lists(st.floats(-2, 2), min_size=6, max_size=6),
    tilt=st.tuples(st.floats(-0.02, 0.02), st.floats(-0.02, 0.02)),
)
def test_inside_rows_are_the_pixels_whose_middle_is_inside(entries, tilt):
    matrix = np.array([*entries, *tilt, 1.0]).reshape(1, 3, 3)
    matrix[:, :2, 2] *= 10
    warp = Warp(matrix, np.array([[14, 18]]), np.array([[12, 16]]))
    rows = inside_rows(warp)[0]
    columns = np.arange(16)
    actual = (columns >= rows[:, :1]) & (columns < rows[:, 1:])
    y, x = np.mgrid[:12, :16] + 0.5
    u, v, w = np.tensordot(matrix[0], np.stack([x, y, np.ones_like(x)]), axes=1)
    distances = np.stack([u, v, 18 * w - u, 14 * w - v])
    sure = np.abs(distances).min(axis=0) > 1e-9
    np.testing.assert_array_equal(actual[sure], (distances >= 0).all(axis=0)[sure])


def test_inside_rows_know_each_image_s_own_width():
    matrices = np.tile(np.eye(3), (2, 1, 1))
    warp = Warp(matrices, np.array([[4, 5], [2, 9]]), np.array([[4, 5], [3, 9]]))
    assert inside_rows(warp).tolist() == [[[0, 5]] * 4, [[0, 9]] * 2 + [[0, 0]] * 2]


@given(
    entries=st.lists(st.floats(-2, 2), min_size=6, max_size=6),
    tilt=st.tuples(st.floats(-0.02, 0.02), st.floats(-0.02, 0.02)),
)
def test_a_warp_that_does_not_leave_its_source_has_whole_rows_inside(entries, tilt):
    matrix = np.array([*entries, *tilt, 1.0]).reshape(1, 3, 3)
    matrix[:, :2, 2] *= 10
    warp = Warp(matrix, np.array([[14, 18]]), np.array([[12, 16]]))
    if not leaves_source(warp)[0]:
        assert inside_rows(warp)[0].tolist() == [[0, 16]] * 12


def test_windows_inside_do_not_leave_the_source():
    warps = [
        scaling(1, 1, (10, 10), (10, 10)),
        scaling(0.5, 1, (10, 10), (8, 10)),
        scaling(1, 1.01, (10, 10), (10, 10)),
    ]
    assert [bool(leaves_source(warp)[0]) for warp in warps] == [False, False, True]


@given(y=st.floats(0.5, 9), x=st.floats(0.5, 9))
def test_what_is_smoothed_is_told_beforehand(y, x):
    warp = scaling(y, x, (50, 60), (500, 600))
    sampling = plan_sampling(warp, border="constant", smooth=True)
    assert is_smoothed(warp)[0] == bool(sampling.variances.any() or sampling.halvings.any())


@pytest.mark.parametrize(("start", "window"), [(40, [33, 67]), (5, [0, 101]), (80, [0, 101]), (-30, [0, 101])])
def test_a_wrapped_window_is_the_whole_axis_where_its_edges_are_read(start, window):
    """101 can't be halved, so the box is ten pixels wide and reaches further than usual."""
    warp = scaling(1, 10, (20, 2), (100, 101))
    warp.matrices[0, :2, 2] = [start, 40]
    sampling = plan_sampling(warp, border="wrap", smooth=True)
    assert sampling.windows[0, [1, 3]].tolist() == window
    assert sampling.windows[0, [0, 2]].tolist() == [35, 65]
    assert not sampling.halvings.any()


def test_wrapped_images_are_halved_while_their_sides_are_even():
    warp = scaling(20, 20, (5, 5), (96, 100))
    assert plan_sampling(warp, border="wrap", smooth=True).halvings.tolist() == [[3, 2]]
