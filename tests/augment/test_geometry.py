"""Coordinates of each operation, against torchvision, NumPy and hand-made formulas."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.transforms import functional as tv
from torchvision.transforms.functional import InterpolationMode

from vernier.augment.geometry import GEOMETRY, size_after, warp
from vernier.augment.opencv_backend import OpenCVBackend
from vernier.augment.plan import compile_plan
from vernier.augment.randomness import uniform
from vernier.config.augment import (
    CentralCrop,
    CentralCropThenResize,
    Pad,
    RandomCrop,
    RandomFlip,
    RandomHorizontalFlip,
    RandomPerspective,
    RandomResize,
    RandomResizedCrop,
    RandomRotate,
    RandomRotate90,
    RandomVerticalFlip,
    RandomWindow,
    Resize,
    ResizeThenRandomCrop,
    Shear,
    Translate,
    Zoom,
)

SIDES = st.integers(1, 400)
LARGEST = 1 - 2.0**-53


def draws(operation, n, seed=0):
    return uniform(seed, 0, np.arange(n), "x", 1 + GEOMETRY[type(operation)].draws)


def through(operation, image, n=1, **settings):
    """The results of an operation for samples 0 to n - 1, float32 (n, H, W, C)."""
    options = {"border": "constant", "fill": 0, "interpolation": "bilinear", "seed": 0, **settings}
    plan = compile_plan([operation], channels=image.shape[2], native_size=image.shape[:2], **options)
    return OpenCVBackend(plan, 0).batch([image] * n, np.arange(n), 0).permute(0, 2, 3, 1).numpy()


def chw(image):
    return torch.from_numpy(image.transpose(2, 0, 1).copy()).float()


@pytest.mark.parametrize("size", [(101, 150), (100, 151), (50, 31), (120, 200), (99, 160), (130, 140)])
def test_central_crop_is_that_of_torchvision(size, photos):
    image = photos["china"][:101, :150]
    expected = tv.center_crop(chw(image), list(size)).permute(1, 2, 0).numpy()
    np.testing.assert_array_equal(through(CentralCrop(size=size), image)[0], expected)


@pytest.mark.parametrize(("side", "start"), [(300, 38), (301, 38), (303, 40), (100, -62), (101, -61)])
def test_central_crop_begins_where_the_device_zoo_crops_or_pads(side, start):
    """But for 303, where half a pixel is rounded to the even number, as in torchvision; there it is 39."""
    matrix = warp(CentralCrop(size=(224, 224)), np.zeros((1, 1)), np.array([[side, 224]])).matrices[0]
    assert matrix[:2, 2].tolist() == [0, start]


def test_central_crop_by_a_fraction():
    image = np.arange(64, dtype=np.uint8).reshape(8, 8, 1)
    np.testing.assert_array_equal(through(CentralCrop(fraction=0.5), image)[0], image[2:6, 2:6])


def test_random_crop_takes_every_window_as_often(photos):
    image, n = photos["flower"][:7, :6], 3000
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)), constant_values=9)
    results = through(RandomCrop(size=(6, 5), padding=1), image, n, fill=9)
    windows = [padded[y : y + 6, x : x + 5] for y in range(4) for x in range(4)]
    found = np.array([[np.array_equal(result, window) for window in windows] for result in results])
    assert (found.sum(axis=1) == 1).all()
    assert ((found.sum(axis=0) - n / 16) ** 2 / (n / 16)).sum() < 15 + 4 * math.sqrt(30)


def test_the_largest_draw_stays_in_the_image():
    for height in range(1, 300):
        step = warp(RandomCrop(size=(1, 1)), np.array([[0, LARGEST, LARGEST]]), np.array([[height, 2 * height]]))
        assert step.matrices[0, 1, 2] == height - 1
        assert step.matrices[0, 0, 2] == 2 * height - 1


def test_random_crop_of_a_smaller_image_holds_all_of_it(photos):
    image = photos["flower"][:5, :9]
    results = through(RandomCrop(size=(8, 8)), image, 40)
    offsets = {int(np.flatnonzero(result.any(axis=(1, 2)))[0]) for result in results}
    assert offsets == {0, 1, 2, 3}
    assert all(np.count_nonzero(result.any(axis=(1, 2))) == 5 for result in results)


def one_resized_crop(u, height, width, scale, ratio):
    """torchvision's loop, with given numbers."""
    for attempt in range(10):
        area = height * width * (scale[0] + u[attempt] * (scale[1] - scale[0]))
        low, high = math.log(ratio[0]), math.log(ratio[1])
        aspect = math.exp(low + u[10 + attempt] * (high - low))
        w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < w <= width and 0 < h <= height:
            return math.floor(u[20] * (height - h + 1)), math.floor(u[21] * (width - w + 1)), h, w
    if width / height < min(ratio):
        w, h = width, round(width / min(ratio))
    elif width / height > max(ratio):
        h, w = height, round(height * max(ratio))
    else:
        w, h = width, height
    return (height - h) // 2, (width - w) // 2, h, w


@given(height=SIDES, width=SIDES, seed=st.integers(0, 1000), low=st.floats(0.05, 1), high=st.floats(0.05, 1))
def test_random_resized_crop_is_that_of_torchvision(height, width, seed, low, high):
    operation = RandomResizedCrop(size=(32, 48), scale=(min(low, high), max(low, high)))
    u = draws(operation, 5, seed)
    step = warp(operation, u, np.tile([height, width], (5, 1)))
    for row, matrix in zip(u, step.matrices, strict=True):
        top, left, h, w = one_resized_crop(row[1:], height, width, operation.scale, operation.ratio)
        expected = [[w / 48, 0, left], [0, h / 32, top], [0, 0, 1]]
        np.testing.assert_allclose(matrix, expected, rtol=1e-12)


@given(height=SIDES, width=SIDES, size=SIDES)
def test_resize_shortest_has_the_size_of_torchvision(height, width, size):
    operation = Resize(size=(size, size), mode="shortest")
    step = warp(operation, np.zeros((1, 1)), np.array([[height, width]]))
    short, long = min(height, width), max(height, width)
    longer = int(size * long / short)
    assert tuple(step.sizes[0]) == ((size, longer) if height <= width else (longer, size))
    assert size_after(operation, (height, width)) == tuple(step.sizes[0].tolist())


@given(height=SIDES, width=SIDES, size=st.tuples(SIDES, SIDES))
def test_resize_shortest_covers_a_size_that_is_not_square(height, width, size):
    step = warp(Resize(size=size, mode="shortest"), np.zeros((1, 1)), np.array([[height, width]]))
    assert (step.sizes[0] >= size).all()
    assert (step.sizes[0] == size).any()


def test_letterbox_is_centred_and_filled(photos):
    image = photos["china"][:100, :200]
    result = through(Resize(size=(200, 200), mode="letterbox"), image, fill=7)[0]
    np.testing.assert_array_equal(result[50:150], image.astype(np.float32))
    assert (result[:50] == 7).all()
    assert (result[150:] == 7).all()


@given(height=SIDES, width=SIDES, size=SIDES)
def test_resize_longest_keeps_the_aspect_ratio(height, width, size):
    operation = Resize(size=(size, size), mode="longest")
    step = warp(operation, np.zeros((1, 1)), np.array([[height, width]]))
    exact = size * min(height, width) / max(height, width)
    shorter, longer = sorted(step.sizes[0].tolist())
    assert longer == size
    assert (step.sizes[0, 0] >= step.sizes[0, 1]) == (height >= width) or shorter == longer
    # Half a pixel may be rounded either way.
    assert shorter == 1 or abs(shorter - exact) < 0.5 + 1e-9
    assert size_after(operation, (height, width)) == tuple(step.sizes[0].tolist())
    np.testing.assert_allclose(step.matrices[0] @ [*step.sizes[0, ::-1], 1], [width, height, 1])


@given(height=SIDES, width=SIDES, mode=st.sampled_from(["fit", "shortest", "longest"]), u=st.floats(0, 0.999))
def test_a_random_resize_is_a_resize_to_a_drawn_size(height, width, mode, u):
    drawn = warp(
        RandomResize(size=(40, 30), scale=(0.5, 3), mode=mode), np.array([[0, u]]), np.array([[height, width]])
    )
    size = tuple(max(1, round(side * (0.5 + 2.5 * u))) for side in (40, 30))
    expected = warp(Resize(size=size, mode=mode), np.zeros((1, 1)), np.array([[height, width]]))
    np.testing.assert_array_equal(drawn.sizes, expected.sizes)
    np.testing.assert_allclose(drawn.matrices, expected.matrices)


@pytest.mark.parametrize(
    ("padding", "sides"), [(3, (3, 3, 3, 3)), ((2, 5), (5, 2, 5, 2)), ((1, 2, 3, 4), (3, 1, 4, 2))]
)
def test_pad_is_that_of_torchvision(padding, sides, photos):
    image = photos["china"][:9, :11]
    expected = tv.pad(chw(image), list(sides), fill=40).permute(1, 2, 0).numpy()
    np.testing.assert_array_equal(through(Pad(padding=padding), image, fill=40)[0], expected)


def one_central_crop(height, width, target, fraction):
    """UpStride's, with the target's aspect ratio the right way round: (top, left, h, w)."""
    aspect = target[1] / target[0]
    if aspect > width / height:
        w, h = round(fraction * width), round(fraction * width / aspect)
    else:
        w, h = round(fraction * height * aspect), round(fraction * height)
    h, w = max(h, 1), max(w, 1)
    return (height - h + 1) // 2, (width - w + 1) // 2, h, w


@given(height=SIDES, width=SIDES, fraction=st.sampled_from([0.5, 0.7, 0.875, 1.0]))
def test_central_crop_then_resize_keeps_the_aspect_ratio_of_its_size(height, width, fraction):
    operation = CentralCropThenResize(size=(37, 53), fraction=fraction)
    matrix = warp(operation, np.zeros((1, 1)), np.array([[height, width]])).matrices[0]
    top, left, h, w = one_central_crop(height, width, (37, 53), fraction)
    found = np.array([matrix[1, 2], matrix[0, 2], matrix[1, 1] * 37, matrix[0, 0] * 53])
    # A side that lies on half a pixel may be rounded either way.
    np.testing.assert_allclose(found, [top, left, h, w], atol=1 + 1e-9)
    assert (np.abs(found - [top, left, h, w]) < 1e-9).sum() >= 2


def test_central_crop_then_resize_has_its_odd_pixel_above():
    """Of 101 pixels 50 are taken, 26 of the others lie above and to the left of them."""
    matrix = warp(CentralCropThenResize(size=(10, 10), fraction=0.5), np.zeros((1, 1)), np.array([[101, 101]])).matrices
    np.testing.assert_allclose(matrix[0], [[5, 0, 26], [0, 5, 26], [0, 0, 1]])


def test_random_window_is_cut_off_at_the_edges():
    operation = RandomWindow(centre_x=(0, 1), centre_y=(0.5, 0.5), width=(0.5, 0.5), height=(0.2, 0.6))
    u = np.array([[0, 0, 0.0, 0.0, 0], [0, 0, 0.5, 0.5, 0], [0, 0, 0.875, 0, 0]])
    matrices = warp(operation, u, np.array([[100, 80]] * 3)).matrices
    np.testing.assert_allclose(matrices[:, 0, 2], [0, 20, 50])
    np.testing.assert_allclose(matrices[:, 0, 0], [0.25, 0.5, 0.375])
    np.testing.assert_allclose(matrices[:, 1, 2], [40, 30, 40])
    np.testing.assert_allclose(matrices[:, 1, 1], [0.2, 0.4, 0.2])


def test_random_window_keeps_the_size(photos):
    image = photos["china"][:40, :60]
    results = through(RandomWindow(), image, 30)
    assert results.shape == (30, 40, 60, 3)
    same = (results == image).all(axis=(1, 2, 3)).mean()
    assert 0 < same < 0.4


def test_enlarging_is_that_of_torch(photos):
    image = photos["china"][:60, :80]
    result = through(Resize(size=(133, 121)), image)[0]
    expected = torch.nn.functional.interpolate(chw(image)[None], size=(133, 121), mode="bilinear")[0]
    np.testing.assert_allclose(result, expected.permute(1, 2, 0), atol=0.01)


def test_resize_then_random_crop_is_a_window_of_the_resized_image(photos):
    image = photos["flower"][:50, :60]
    resized = through(Resize(size=(64, 64)), image)[0]
    results = through(ResizeThenRandomCrop(resize=(64, 64), size=(62, 63)), image, 8)
    windows = np.stack([resized[y : y + 62, x : x + 63] for y in range(3) for x in range(2)])
    nearest = np.abs(results[:, None] - windows).max(axis=(2, 3, 4)).min(axis=1)
    assert nearest.max() < 0.01


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (RandomHorizontalFlip(p=1), np.fliplr),
        (RandomVerticalFlip(p=1), np.flipud),
        (RandomFlip(p=1), np.fliplr),
        (RandomFlip(mode="vertical", p=1), np.flipud),
    ],
)
def test_flips_are_exact_copies(operation, expected, photos):
    image = photos["china"][:51, :70]
    np.testing.assert_array_equal(through(operation, image)[0], expected(image))


def test_a_flip_both_ways_takes_each_of_three_as_often(photos):
    image, n = photos["china"][:5, :7], 600
    results = through(RandomFlip(mode="horizontal_and_vertical", p=0.75), image, n)
    options = [image, np.fliplr(image), np.flipud(image), np.flipud(np.fliplr(image))]
    found = np.array([[np.array_equal(result, option) for option in options] for result in results])
    assert (found.sum(axis=1) == 1).all()
    assert found.sum(axis=0).tolist() == pytest.approx([150] * 4, abs=4 * math.sqrt(112))


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_quarter_turns_are_exact_copies(turns, photos):
    image = photos["china"][:51, :70]
    np.testing.assert_array_equal(through(RandomRotate90(turns=(turns,)), image)[0], np.rot90(image, turns))


def test_quarter_turns_are_all_as_likely():
    step = warp(RandomRotate90(), draws(RandomRotate90(), 4000), np.tile([3, 3], (4000, 1)))
    counts = np.unique(step.matrices[:, 0, :2], axis=0, return_counts=True)[1]
    assert counts.tolist() == pytest.approx([1000] * 4, abs=4 * math.sqrt(1000))


@pytest.mark.parametrize("angle", [-30, 12.5, 90])
def test_rotation_is_that_of_torchvision(angle, photos):
    image = photos["china"][100:201, 100:231]
    result = through(RandomRotate(degrees=(angle, angle)), image)[0]
    expected = tv.rotate(chw(image), angle, InterpolationMode.BILINEAR).permute(1, 2, 0).numpy()
    inside = through(RandomRotate(degrees=(angle, angle)), np.full_like(image, 255))[0, ..., 0] == 255
    inside[1:-1, 1:-1] &= inside[2:, 1:-1] & inside[:-2, 1:-1] & inside[1:-1, 2:] & inside[1:-1, :-2]
    assert np.abs(result - expected)[inside].mean() < 0.05


def test_zoom_enlarges_about_the_middle():
    matrix = warp(Zoom(scale=(2, 2)), draws(Zoom(), 1), np.array([[10, 20]])).matrices[0]
    np.testing.assert_allclose(matrix, [[0.5, 0, 5], [0, 0.5, 2.5], [0, 0, 1]])


def test_zoom_takes_a_factor_for_each_axis():
    matrix = warp(Zoom(scale=(2, 2), scale_y=(0.5, 0.5)), draws(Zoom(), 1), np.array([[10, 20]])).matrices[0]
    np.testing.assert_allclose(matrix, [[0.5, 0, 5], [0, 2, -5], [0, 0, 1]])


def test_ranges_need_not_be_symmetric():
    u, sizes = np.array([[0, 0.25, 0.75]]), np.array([[100, 200]])
    moved = warp(Translate(x=(-0.2, 0.6), y=(-1, 0)), u, sizes).matrices[0]
    np.testing.assert_allclose(moved[:2, 2], [-0.4 * 200, 0.75 * 100])
    sheared = warp(Shear(x=(10, 30), y=(-40, 0)), u, sizes).matrices[0]
    np.testing.assert_allclose(sheared[[0, 1], [1, 0]], [-math.tan(math.radians(15)), math.tan(math.radians(10))])


def test_translate_moves_by_shares_of_the_sides():
    operation = Translate(x=0.25, y=0.5)
    u = np.array([[0, 1.0, 0.0], [0, 0.5, 1.0]])
    matrices = warp(operation, u, np.array([[10, 20], [40, 80]])).matrices
    np.testing.assert_allclose(matrices[:, :2, 2], [[5, -5], [-20, 0]])


def test_shear_moves_rows_by_the_tangent():
    """A point 10 below the middle moves left by 10 tan a."""
    operation = Shear(x=30, y=0)
    matrix = warp(operation, np.array([[0, 1.0, 0.5]]), np.array([[100, 100]])).matrices[0]
    x, y, _ = np.linalg.inv(matrix) @ [50, 60, 1]
    assert (x, y) == (pytest.approx(50 + 10 * math.tan(math.radians(30))), pytest.approx(60))
    assert np.linalg.det(warp(Shear(x=60, y=60), np.ones((1, 3)) * 0.99, np.array([[9, 9]])).matrices[0]) > 0.99


@given(seed=st.integers(0, 1000), distortion=st.floats(0, 0.6))
def test_perspective_takes_the_moved_corners_to_the_corners(seed, distortion):
    operation = RandomPerspective(distortion=distortion, p=1)
    u = draws(operation, 3, seed)
    matrices = warp(operation, u, np.array([[90, 120]] * 3)).matrices
    for row, matrix in zip(u, matrices, strict=True):
        inwards = row[1:].reshape(4, 2) * distortion / 2 * [120, 90]
        for corner, move, sign in zip(
            [(0, 0), (120, 0), (120, 90), (0, 90)], inwards, [(1, 1), (-1, 1), (-1, -1), (1, -1)], strict=True
        ):
            x, y, w = matrix @ [*(np.array(corner) + np.array(sign) * move), 1]
            assert w > 0
            np.testing.assert_allclose([x / w, y / w], corner, atol=1e-6)


@pytest.mark.parametrize(
    "operation",
    [
        Resize(size=(8, 8), p=0.0),
        CentralCrop(size=(8, 8), p=0.0),
        CentralCropThenResize(size=(8, 8), p=0.0),
        RandomResize(size=(8, 8), p=0.0),
        Pad(padding=4, p=0.0),
        RandomWindow(p=0.0),
        RandomFlip(p=0.0),
        RandomHorizontalFlip(p=0.0),
        RandomVerticalFlip(p=0.0),
        RandomRotate(p=0.0),
        RandomRotate90(p=0.0),
        Translate(p=0.0),
        Zoom(p=0.0),
        Shear(p=0.0),
        RandomPerspective(p=0.0),
    ],
    ids=lambda operation: operation.name,
)
def test_a_sample_that_is_passed_over_stays_as_it_is(operation):
    sizes = np.array([[16, 20], [7, 9], [8, 8]])
    step = warp(operation, draws(operation, 3), sizes)
    np.testing.assert_array_equal(step.matrices, np.tile(np.eye(3), (3, 1, 1)))
    np.testing.assert_array_equal(step.sizes, sizes)


def test_windows_passed_over_lose_only_their_chance(photos):
    image = photos["china"][:40, :60]
    np.testing.assert_array_equal(
        through(RandomResizedCrop(size=(50, 70), p=0.0), image), through(Resize(size=(50, 70)), image)
    )
    np.testing.assert_array_equal(through(RandomCrop(size=(20, 30), p=0.0), image)[0], image[10:30, 15:45])


def test_p_chooses_its_share_and_keeps_the_draws_of_the_others():
    operation = RandomRotate(degrees=90)
    sizes = np.tile([20, 20], (2000, 1))
    always = warp(operation, draws(operation, 2000), sizes).matrices
    some = warp(operation.model_copy(update={"p": 0.3}), draws(operation, 2000), sizes).matrices
    got = (some == always).all(axis=(1, 2))
    assert got.mean() == pytest.approx(0.3, abs=4 * math.sqrt(0.21 / 2000))
    assert (some[~got] == np.eye(3)).all()
