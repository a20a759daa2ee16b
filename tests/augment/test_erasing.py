"""Parts of images that are covered."""

import numpy as np
import pytest
import torch
from pixel_runs import assert_chance_is_pure, effect, run
from torchvision.transforms import v2

from vernier.config.loading import load_config
from vernier.config.operations.erasing import Cutout, GridErasing, RandomErasing, RectangleErasing
from vernier.errors import ConfigError

BLACK = np.zeros((40, 50, 3), np.uint8)
WHITE = {"method": "uniform", "color": (255,)}


def spans(covered: np.ndarray) -> tuple[slice, slice]:
    """The rows and columns of the only rectangle of a mask (H, W), which must be a full one."""
    rows, columns = (np.flatnonzero(covered.any(axis=axis)) for axis in (1, 0))
    place = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    assert covered[place].all()
    assert covered.sum() == covered[place].size
    return place


@pytest.mark.parametrize(
    "operation",
    [
        RectangleErasing(count=(1, 3)),
        RectangleErasing(count=(1, 3), method="mosaic", p=0.7),
        GridErasing(),
        RandomErasing(),
        RandomErasing(value="random"),
        Cutout(length=5),
    ],
    ids=str,
)
def test_chance_is_pure(operation):
    assert_chance_is_pure(operation)


def test_a_rectangle_has_its_area_and_ratio_up_to_the_border():
    operation = RectangleErasing(count=1, area=(0.1, 0.1), ratio=(0.5, 0.5), **WHITE)
    width = round(np.sqrt(0.5 * 0.1 * 40 * 50))
    height = round(np.sqrt(0.1 * 40 * 50 / 0.5))
    for image in run(operation, [BLACK] * 100):
        rows, columns = spans(image[..., 0] == 255)
        assert rows.stop - rows.start == height or rows.start == 0 or rows.stop == 40
        assert columns.stop - columns.start == width or columns.start == 0 or columns.stop == 50
        assert rows.stop - rows.start >= height // 2
        assert columns.stop - columns.start >= width // 2


def test_rectangles_have_their_middles_everywhere_and_areas_between_the_limits():
    small = RectangleErasing(count=1, area=(0.0005, 0.0005), ratio=(1, 1), **WHITE)
    covered = run(small, [np.zeros((6, 7, 1), np.uint8)] * 1500)[..., 0] == 255
    assert covered.sum() == 0, "a rectangle of less than half a pixel is none"
    pixel = RectangleErasing(count=1, area=(1 / 42, 1 / 42), ratio=(1, 1), **WHITE)
    covered = run(pixel, [np.zeros((6, 7, 1), np.uint8)] * 1500)[..., 0] == 255
    # Middles in the outer half of a pixel at the border leave the rectangle outside, or pull the neighbours' in.
    assert (covered.mean(axis=0) > 0.5 / 42).all()
    assert covered.sum(axis=(1, 2)).max() == 1
    areas = RectangleErasing(count=1, area=(0.1, 0.3), ratio=(1, 1), **WHITE)
    shares = (run(areas, [BLACK] * 300)[..., 0] == 255).mean(axis=(1, 2))
    assert 0.28 < shares.max() < 0.32


def test_no_rectangle_leaves_every_pixel_as_it_is():
    image = np.random.default_rng(0).integers(1, 256, (9, 8, 3), np.uint8)
    assert np.array_equal(run(RectangleErasing(count=0), [image])[0], image)
    some = run(RectangleErasing(count=(0, 1), method="uniform"), [image] * 400)
    untouched = (some == image).all(axis=(1, 2, 3))
    assert 0.4 < untouched.mean() < 0.6
    assert (some[untouched, 0, 0] == image[0, 0]).all()


def test_counts_are_drawn_alike():
    operation = RectangleErasing(count=(0, 3), area=(0.0005, 0.0005), ratio=(1, 1), **WHITE)
    counts = (run(operation, [BLACK] * 1000)[..., 0] == 255).sum(axis=(1, 2))
    # Rectangles of one pixel; a few lie over another or outside.
    assert np.allclose(np.bincount(counts, minlength=4) / 1000, 0.25, atol=0.06)


def test_later_rectangles_cover_earlier_ones():
    seen, before = 0, np.full((40, 50, 3), (1, 2, 3), np.uint8)
    for key in range(60):
        one, two = (effect(RectangleErasing(count=count, area=(0.3, 0.3)), before, key) for count in (1, 2))
        first, after = ((image != before).any(axis=2) for image in (one, two))
        if (second := after & ~first).any():
            colour = two[tuple(np.argwhere(second)[0])]
            place = spans((two == colour).all(axis=2))
            seen += bool(first[place].any())
    assert seen > 20


def test_fills():
    noise = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    one = {"count": 1, "area": (0.3, 0.3)}
    uniform = effect(RectangleErasing(**one, method="uniform", color=(10, 200, 30)), noise)
    black = effect(RectangleErasing(**one, method="uniform"), noise)
    colour = effect(RectangleErasing(**one, method="random"), noise)
    mosaic = effect(RectangleErasing(**one, method="mosaic"), noise)
    place = spans((uniform == (10, 200, 30)).all(axis=2))
    outside = np.ones((40, 50), bool)
    outside[place] = False
    for covered in (uniform, black, colour, mosaic):
        assert covered.dtype == np.uint8
        assert np.array_equal(covered[outside], noise[outside])
    assert not black[place].any()
    assert len(np.unique(colour[place].reshape(-1, 3), axis=0)) == 1
    values = np.concatenate([effect(RectangleErasing(**one, method="mosaic"), noise, key)[place] for key in range(20)])
    assert len(np.unique(mosaic[place])) > 150
    assert abs(values.mean() - 127.5) < 3


@pytest.mark.parametrize("method", ["uniform", "random", "mosaic"])
def test_grey_images_get_grey(method):
    grey = np.random.default_rng(0).integers(0, 256, (20, 20, 1), np.uint8)
    color = (255, 0, 0) if method == "uniform" else None
    operation = RectangleErasing(count=3, method=method, color=color)
    single, triple = effect(operation, grey), effect(operation, np.repeat(grey, 3, axis=2))
    assert np.array_equal(np.repeat(single, 3, axis=2), triple)
    assert (single != grey).any()
    if method == "uniform":
        assert (single[single != grey] == 76).all()


def test_any_number_of_channels_and_floats():
    image = np.random.default_rng(0).normal(300, 50, (20, 24, 5)).astype(np.float32)
    covered = effect(RectangleErasing(count=3, method="uniform", color=(1, 2, 3, 4, 5)), image)
    changed = (covered != image).any(axis=2)
    assert changed.any()
    assert (covered[changed] == (1, 2, 3, 4, 5)).all()
    assert covered.dtype == np.float32
    assert image.min() > 50


def test_grid_cells_are_covered_as_a_whole_each_with_its_probability():
    operation = GridErasing(cells_y=4, cells_x=5, cell_probability=0.3, **WHITE)
    covered = run(operation, [np.zeros((22, 31, 1), np.uint8)] * 300)[..., 0] == 255
    cells = covered[:, ::6, ::7]
    assert cells.shape[1:] == (4, 5)
    assert np.array_equal(cells.repeat(6, axis=1).repeat(7, axis=2)[:, :22, :31], covered)
    assert np.allclose(cells.mean(axis=0), 0.3, atol=0.09)
    assert (
        run(GridErasing(cells_y=9, cells_x=7, cell_probability=1, **WHITE), [np.zeros((5, 3, 2), np.uint8)]).min()
        == 255
    )


def test_random_erasing_lies_inside_and_covers_as_much_as_torchvisions():
    operation, image = RandomErasing(p=1, value=255), BLACK[..., :1]
    covered = run(operation, [image] * 400)[..., 0] == 255
    assert covered.any(axis=(1, 2)).mean() > 0.97
    theirs = []
    torch.manual_seed(0)
    for mask in covered[covered.any(axis=(1, 2))]:
        rows, columns = spans(mask)
        down, across = rows.stop - rows.start, columns.stop - columns.start
        assert down < 40
        assert across < 50
        assert 0.02 * 2000 * 0.85 < down * across < 0.33 * 2000 * 1.05
        blank = torch.zeros(1, 40, 50)
        theirs.append(float(v2.RandomErasing(p=1, value=1)(blank).mean()))
    assert covered.mean() == pytest.approx(np.mean(theirs), abs=0.015)


def test_a_cutout_has_its_middle_at_any_pixel():
    covered = run(Cutout(length=4, fill=255), [np.zeros((9, 7, 1), np.uint8)] * 4000)[..., 0] == 255
    chance = np.array([[(min(y + 2, 8) - max(y - 1, 0) + 1) * (min(x + 2, 6) - max(x - 1, 0) + 1) for x in range(7)]
                       for y in range(9)]) / 63  # fmt: skip
    assert np.allclose(covered.mean(axis=0), chance, atol=0.03)
    assert all(mask.sum() <= 16 for mask in covered)


def test_a_cutout_may_be_larger_than_the_image():
    covered = run(Cutout(length=40), [np.full((9, 7, 3), 200, np.uint8)] * 20)
    assert not covered.any()
    assert np.array_equal(run(Cutout(), [BLACK + 9], epoch=3)[0, 0, 0] > 0, [True] * 3)


@pytest.mark.parametrize(
    ("item", "problem"),
    [
        (
            "{name: RectangleErasing, color: [1, 2, 3]}",
            "augment.train[0].color: is for method uniform, and augment.train[0].method is random; set one or "
            "the other",
        ),
        (
            "{name: GridErasing, method: mosaic, color: [1]}",
            "augment.train[0].color: is for method uniform, and augment.train[0].method is mosaic; set one or "
            "the other",
        ),
        (
            "{name: RectangleErasing, method: uniform, color: [1, 256]}",
            "augment.train[0].color[1]: must be a whole number from 0 to 255; got 256",
        ),
        (
            "{name: RectangleErasing, count: [3, 1]}",
            "augment.train[0].count: must be a whole number, at least 0, or a range of whole numbers from 0 on, "
            "smaller number first; got [3, 1]",
        ),
        (
            "{name: RectangleErasing, method: pixels}",
            "augment.train[0].method: must be uniform, random or mosaic; got 'pixels'",
        ),
    ],
)
def test_what_is_wrong_is_said(item, problem):
    with pytest.raises(ConfigError) as error:
        load_config(None, ("data=digits", f"augment.train=[{item}]"))
    assert str(error.value) == f"1 problem in the config:\n  {problem}"
