"""The bound is compared with the warps that the operations really draw."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vernier.augment.geometry import GEOMETRY, identity, warp
from vernier.augment.plan import compile_plan
from vernier.augment.randomness import Chance
from vernier.augment.reach import pixels_per_pixel
from vernier.config.augment import (
    CentralCrop,
    CentralCropThenResize,
    ColorJitter,
    Normalize,
    Pad,
    RandomCrop,
    RandomFlip,
    RandomHorizontalFlip,
    RandomPerspective,
    RandomResize,
    RandomResizedCrop,
    RandomRotate,
    RandomRotate90,
    RandomWindow,
    Resize,
    ResizeThenRandomCrop,
    Shear,
    Translate,
    Zoom,
)

SMALL = (24, 32)
DRAWS = 150


def densities(operations, size):
    """The least pixels of the image under one of the result, of each of many draws, at points all over the result.

    By the singular values of the derivative of each draw's warp, which is taken by differences.
    """
    chance = Chance(7, 0, np.arange(DRAWS))
    total = identity(np.tile(size, (DRAWS, 1)))
    for number, operation in enumerate(operations):
        u = chance.uniform(f"{number}", 1 + GEOMETRY[type(operation)].draws)
        total = total.then(warp(operation, u, total.sizes))
    return np.array([least_density(*draw) for draw in zip(total.matrices, total.sizes, strict=True)]), total


def least_density(matrix, size):
    y, x = (np.linspace(0.5, side - 0.5, 7) for side in size)
    points = np.stack([*(axis.ravel() for axis in np.meshgrid(x, y)), np.ones(49)])
    step = 1e-3

    def mapped(shift_x, shift_y):
        moved = matrix @ (points + np.array([[shift_x], [shift_y], [0.0]]))
        return moved[:2] / moved[2]

    derivative = np.stack([mapped(step, 0) - mapped(-step, 0), mapped(0, step) - mapped(0, -step)], axis=1) / (2 * step)
    before_the_horizon = (matrix @ points)[2] > 0
    stretches = np.linalg.svd(np.moveaxis(derivative, 2, 0)[before_the_horizon], compute_uv=False)
    return stretches.min(initial=np.inf)


FIXED = [
    ([Resize(size=SMALL)], (480, 320), 10.0),
    ([Resize(size=SMALL, mode="shortest")], (480, 320), 10.0),
    ([Resize(size=SMALL, mode="letterbox")], (480, 320), 20.0),
    ([Resize(size=SMALL), CentralCrop(size=(8, 8))], (480, 640), 20.0),
    ([CentralCrop(fraction=0.5), Resize(size=SMALL)], (480, 640), 10.0),
    ([ResizeThenRandomCrop(resize=(48, 64), size=SMALL)], (480, 640), 10.0),
    ([RandomResizedCrop(size=SMALL, scale=(1, 1), ratio=(4 / 3, 4 / 3))], (480, 640), 20.0),
    ([RandomResizedCrop(size=SMALL, scale=(0.25, 1), ratio=(4 / 3, 4 / 3))], (480, 640), 10.0),
    ([Resize(size=SMALL), Zoom(scale=(0.5, 2.0))], (480, 640), 10.0),
    ([Resize(size=SMALL), Zoom(scale=(0.5, 1.0), scale_y=(1.0, 4.0))], (480, 640), 5.0),
    ([Resize(size=SMALL), Shear(x=(-10, 5)), Shear(x=(-5, 10))], (480, 640), 16.8),
    ([Resize(size=SMALL), Pad(padding=4), RandomCrop(size=SMALL), RandomFlip()], (480, 640), 20.0),
    ([Resize(size=SMALL, mode="longest"), CentralCrop(size=SMALL)], (480, 320), 20.0),
    ([CentralCropThenResize(size=SMALL, fraction=0.5)], (480, 320), 5.0),
    ([RandomResize(size=SMALL, scale=(1, 2)), RandomCrop(size=SMALL)], (480, 640), 10.0),
    ([RandomResize(size=SMALL, scale=(1, 2), mode="longest"), RandomCrop(size=SMALL)], (480, 320), 10.0),
    ([Resize(size=SMALL), RandomWindow(width=(0.5, 1), centre_x=(0.5, 1.0))], (480, 640), 5.0),
    ([Resize(size=SMALL), RandomRotate(degrees=40), RandomHorizontalFlip(), Translate()], (480, 640), 20.0),
    ([ColorJitter(contrast=1.0), Resize(size=SMALL), Normalize(mean=0.5, std=0.5)], (480, 640), 20.0),
]


@pytest.mark.parametrize(("operations", "size", "expected"), FIXED)
def test_by_hand(operations, size, expected):
    bound = pixels_per_pixel(operations, np.array([size]))
    assert bound == pytest.approx(expected, rel=0.05)
    assert bound <= expected + 1e-9


@pytest.mark.parametrize(
    "operations",
    [
        [RandomCrop(size=SMALL)],
        [RandomCrop(size=(200, 200), padding=4), Resize(size=SMALL)],
        [CentralCrop(size=(200, 200)), Resize(size=SMALL)],
        [Resize(size=SMALL, p=0.5), RandomCrop(size=SMALL)],
        [Resize(size=SMALL, p=0.5)],
        [RandomHorizontalFlip()],
        [Pad(padding=4), Resize(size=SMALL)],
        [Resize(size=(24, 32)), RandomRotate90(), RandomPerspective(distortion=0.1)],
        [RandomPerspective(distortion=1.0), Resize(size=SMALL)],
        [],
    ],
)
def test_nothing_to_spare(operations):
    assert (pixels_per_pixel(operations, np.array([(480, 640), (4000, 6000)])) <= 1).all()


def test_each_image_has_its_own_and_larger_ones_more():
    sizes = np.array([(60, 80), (480, 640), (640, 480), (480, 5000)])
    bound = pixels_per_pixel([RandomResizedCrop(size=(32, 32)), RandomRotate()], sizes)
    assert bound.shape == (4,)
    assert bound[0] < bound[1] == bound[2] < bound[3]
    assert pixels_per_pixel([RandomResizedCrop(size=(32, 32))], sizes[:0]).shape == (0,)


shares = st.floats(0.05, 1.0)
GEOMETRIC = st.one_of(
    st.builds(
        Resize, size=st.just((40, 40)), mode=st.sampled_from(["fit", "shortest", "crop", "longest", "letterbox"])
    ),
    st.builds(
        RandomResize,
        size=st.just((40, 40)),
        scale=st.tuples(st.floats(0.3, 1.0), st.floats(1.0, 3.0)),
        mode=st.sampled_from(["fit", "shortest", "longest"]),
        p=st.sampled_from([0.5, 1.0]),
    ),
    st.builds(CentralCropThenResize, size=st.just((30, 40)), fraction=shares),
    st.builds(RandomWindow, centre_x=st.just((0.0, 0.5)), width=st.tuples(shares, st.just(1.0))),
    st.builds(
        RandomResizedCrop,
        size=st.just((40, 30)),
        scale=st.tuples(shares, st.just(1.0)),
        ratio=st.tuples(st.floats(0.2, 1.0), st.floats(1.0, 5.0)),
        p=st.sampled_from([0.5, 1.0]),
    ),
    st.builds(ResizeThenRandomCrop, resize=st.just((50, 60)), size=st.just(SMALL)),
    st.builds(CentralCrop, fraction=shares, p=st.sampled_from([0.5, 1.0])),
    st.builds(RandomRotate90, p=st.sampled_from([0.5, 1.0])),
    st.builds(RandomRotate, degrees=st.floats(0, 180)),
    st.builds(Zoom, scale=st.tuples(st.floats(0.2, 1.0), st.floats(1.0, 4.0))),
    st.builds(Zoom, scale=st.just((0.5, 2.0)), scale_y=st.tuples(st.floats(0.2, 1.0), st.floats(1.0, 4.0))),
    st.builds(Shear, x=st.floats(0, 60), y=st.tuples(st.floats(-60, 0), st.floats(0, 10))),
    st.builds(RandomPerspective, distortion=st.floats(0, 0.6), p=st.sampled_from([0.5, 1.0])),
)


@settings(max_examples=60, deadline=None)
@given(
    operations=st.lists(GEOMETRIC, max_size=4),
    size=st.tuples(st.integers(20, 400), st.integers(20, 400)),
)
def test_no_draw_is_below_the_bound(operations, size):
    operations = [*operations, Resize(size=SMALL)]
    found, total = densities(operations, size)
    (bound,) = pixels_per_pixel(operations, np.array([size]))
    assert (total.sizes == SMALL).all()
    assert found.min() >= bound * (1 - 1e-6)


def test_plan_of_the_same_operations_draws_no_smaller_windows():
    operations = (RandomResizedCrop(size=(32, 32), scale=(0.2, 1.0)), RandomHorizontalFlip(), Normalize(mean=0, std=1))
    plan = compile_plan(operations, channels=3, border="constant", fill=0, interpolation="bilinear", seed=3)
    drawn = plan.draw(np.arange(2000), 0, np.tile([300, 400], (2000, 1)))[0].warp
    extents = np.abs(drawn.matrices[:, [0, 1], [0, 1]])
    (bound,) = pixels_per_pixel(operations, np.array([(300, 400)]))
    assert bound <= extents.min() <= bound * 1.1
