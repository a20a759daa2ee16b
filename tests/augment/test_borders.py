"""What lies outside an image, for each operation and each image, against OpenCV, NumPy and a reference by the pixel."""

import cv2
import numpy as np
import pytest
from augment_reference import composed, interpolate, one_by_one, psnr
from hypothesis import given, settings
from hypothesis import strategies as st

from vernier.augment.borders import shows_outside
from vernier.augment.geometry import GEOMETRY, least_size_after, warp
from vernier.augment.opencv_backend import OpenCVBackend
from vernier.augment.plan import compile_plan
from vernier.augment.randomness import uniform
from vernier.augment.torch_backend import TorchBackend
from vernier.config.augment import (
    CentralCrop,
    CentralCropThenResize,
    ColorJitter,
    Normalize,
    Pad,
    RandomCrop,
    RandomFlip,
    RandomHorizontalFlip,
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

CV2_BORDERS = {
    "constant": cv2.BORDER_CONSTANT,
    "reflect": cv2.BORDER_REFLECT,
    "replicate": cv2.BORDER_REPLICATE,
    "edge": cv2.BORDER_REPLICATE,
    "wrap": cv2.BORDER_WRAP,
}
BACKENDS = ["opencv", "torch"]


def compiled(*operations, **changes):
    options = {"channels": 3, "border": "constant", "fill": 0, "interpolation": "bilinear", "seed": 3}
    return compile_plan(operations, **{**options, **changes})


def run(plan, images, backend="opencv", epoch=0):
    made = OpenCVBackend(plan, 0) if backend == "opencv" else TorchBackend(plan, "cpu")
    return made.batch(images, np.arange(len(images)), epoch).permute(0, 2, 3, 1).numpy()


def noise(height, width, channels=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 13])
@pytest.mark.parametrize("border", CV2_BORDERS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_padding_is_that_of_opencv(backend, border, channels):
    image = noise(7, 9, channels)
    plan = compiled(Pad(padding=(2, 5, 11, 4)), channels=channels, border=border, fill=99, native_size=(7, 9))
    expected = np.stack(
        [cv2.copyMakeBorder(image[..., c], 2, 5, 11, 4, CV2_BORDERS[border], value=99) for c in range(channels)], axis=2
    )
    np.testing.assert_array_equal(run(plan, [image], backend)[0], expected)


@pytest.mark.parametrize("channels", [2, 4, 5, 13])
@pytest.mark.parametrize("border", ["constant", "reflect", "wrap"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_any_number_of_channels_is_warped_exactly(backend, border, channels):
    image = cv2.GaussianBlur(noise(30, 41, 16), (5, 5), 0)[..., :channels]
    operations = (RandomRotate(degrees=(30, 60)), Translate(x=0.5, y=0.5))
    plan = compiled(*operations, channels=channels, border=border, fill=200, native_size=(30, 41))
    results = run(plan, [image] * 3, backend)
    warps = composed(operations, np.tile([30, 41], (3, 1)), np.arange(3), 0, 3)
    different = 0
    for result, matrix in zip(results, warps.matrices, strict=True):
        expected = interpolate(image.astype(np.float64), matrix, (30, 41), border, 200)
        different += (np.abs(result - expected).max(axis=2) > 0.01).sum()
    assert different <= 3, "but for pixels whose middle is on the edge itself"


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "nearest"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_wrapped_shift_rolls_the_image(backend, interpolation):
    image = noise(8, 12)
    plan = compiled(
        Translate(x=(0.25, 0.25), y=(-0.5, -0.5), border="wrap"), interpolation=interpolation, native_size=(8, 12)
    )
    np.testing.assert_allclose(run(plan, [image], backend)[0], np.roll(image, (-4, 3), axis=(0, 1)), atol=1e-3)


@pytest.mark.parametrize("backend", BACKENDS)
def test_interpolation_at_a_wrapped_edge_reaches_across(backend):
    """The upper left quarter, twice as large: nothing lies outside, but the first pixels mix with the last ones."""
    image = noise(40, 60)
    operations = (Zoom(scale=(2, 2), border="wrap"), Translate(x=(0.5, 0.5), y=(0.5, 0.5), border="wrap"))
    result = run(compiled(*operations, native_size=(40, 60)), [image], backend)[0]
    expected = interpolate(image.astype(np.float64), np.diag([0.5, 0.5, 1]), (40, 60), "wrap", 0)
    np.testing.assert_allclose(result, expected, atol=1e-3)
    assert result[0, 0] == pytest.approx(image[[0, 0, -1, -1], [0, -1, 0, -1]].T @ [9 / 16, 3 / 16, 3 / 16, 1 / 16])


@pytest.mark.parametrize("size", [(64, 80), (63, 81)])
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_shrunk_wrapped_image_is_the_shrunk_tiles(backend, size):
    image = cv2.GaussianBlur(noise(*size), (9, 9), 0, borderType=cv2.BORDER_REFLECT)
    plan = compiled(Zoom(scale=(0.15, 0.15), border="wrap"), native_size=size)
    tiled = np.tile(image, (9, 9, 1))
    height, width = size
    expected = run(compiled(CentralCrop(fraction=1.0), Zoom(scale=(0.15, 0.15)), native_size=tiled.shape[:2]), [tiled])[
        0
    ]
    middle = expected[4 * height : 5 * height, 4 * width : 5 * width]
    assert psnr(run(plan, [image], backend)[0] - middle) > 45


OTHERS = [
    (Translate(x=0.4, y=0.4, border="reflect"), RandomRotate(degrees=40, border="constant", fill=200)),
    (Shear(x=20, border="wrap"), Zoom(scale=(0.5, 0.9), border="replicate"), Translate(x=0.3)),
    (Pad(padding=3, border="edge"), RandomHorizontalFlip(), Pad(padding=(0, 4), border="wrap")),
    (RandomRotate(border="replicate"), Translate(x=(-0.4, -0.3), fill=90), RandomFlip(mode="vertical", p=1)),
]  # fmt: skip


@pytest.mark.parametrize("operations", OTHERS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_operations_with_borders_of_their_own_are_the_list_one_by_one(backend, operations):
    image = cv2.GaussianBlur(noise(24, 33), (7, 7), 0)
    plan = compiled(*operations, fill=30, native_size=(24, 33), interpolation="bilinear")
    for number, result in enumerate(run(plan, [image] * 4, backend)):
        expected = one_by_one(image, operations, number, 0, 3, border="constant", fill=30)
        if any(isinstance(operation, Zoom) for operation in operations):
            # What shrinks is smoothed, which the reference does not do.
            assert psnr(result - expected) > 30
        else:
            assert (np.abs(result - expected).max(axis=2) > 0.02).mean() < 0.01


@pytest.mark.parametrize(
    ("operations", "stages"),
    [
        ((RandomRotate(border="wrap"), RandomFlip(), Translate(border="wrap")), 1),
        ((RandomRotate(border="replicate"), Translate(border="edge")), 1),
        ((RandomRotate(), Translate(border="constant", fill=0)), 1),
        ((RandomRotate(border="wrap", fill=3), Translate(border="wrap")), 1),
        ((RandomRotate(fill=(0, 255)), Translate(fill=(0, 255))), 1),
        ((RandomRotate(fill=(0, 255)), Translate()), 2),
        ((RandomRotate(fill=1), Translate()), 2),
        ((RandomRotate(border="replicate"), Translate()), 2),
        ((RandomRotate(border="wrap"), Resize(size=(8, 8)), RandomWindow(), RandomRotate90()), 1),
        ((RandomRotate(border="wrap"), Resize(size=(8, 8)), CentralCrop(size=(4, 4))), 1),
        ((RandomRotate(border="wrap"), RandomResizedCrop(size=(8, 8)), CentralCrop(size=(9, 8))), 2),
        ((Resize(size=(8, 8), mode="letterbox", border="wrap"), RandomCrop(size=(8, 8)), RandomCrop(size=(8, 9))), 2),
        ((RandomRotate(border="wrap"), RandomCrop(size=(8, 8), padding=1)), 2),
        ((Zoom(scale=(1, 2)), Zoom(scale=(1, 2), border="wrap"), Zoom(scale_y=(0.5, 1), border="wrap")), 1),
        ((Pad(padding=0), Shear(border="wrap")), 1),
        ((ResizeThenRandomCrop(resize=(9, 9), size=(8, 8)), Shear(border="wrap")), 1),
        ((ResizeThenRandomCrop(resize=(9, 7), size=(8, 8)), Shear(border="wrap")), 2),
    ],
)  # fmt: skip
def test_neighbours_merge_where_one_border_will_do(operations, stages):
    assert len(compiled(*operations, native_size=(16, 16)).stages) == stages


def test_colour_is_passed_by_what_has_the_border_for_it():
    jitter = ColorJitter(brightness=0.5)
    assert len(compiled(Resize(size=(8, 8)), jitter, RandomRotate(fill=9)).stages) == 3
    assert len(compiled(Resize(size=(8, 8)), jitter, RandomRotate(border="wrap"), fill=9).stages) == 2
    assert len(compiled(Resize(size=(8, 8)), Normalize(mean=0.5, std=1), RandomFlip(), fill=9).stages) == 2


@pytest.mark.parametrize("backend", BACKENDS)
def test_each_image_draws_one_of_several_fills(backend):
    wide = [noise(4, 16, seed=n) // 2 + 1 for n in range(200)]
    operations = (Resize(size=(16, 16), mode="letterbox", fill=(0, 255)), Pad(padding=2, fill=(0, 255)))
    plan = compiled(*operations, fill=7)
    results = run(plan, wide, backend)
    outside = np.concatenate([results[:, :8].reshape(200, -1), results[:, :, :2].reshape(200, -1)], axis=1)
    values = outside[:, 0]
    assert (outside == values[:, None]).all()
    assert set(values) == {0, 255}
    assert abs((values == 255).sum() - 100) < 30
    assert (results[:, 8:12, 2:18] == np.stack(wide)).all()
    assert (run(plan, wide, backend, epoch=1)[:, 0, 0, 0] != values).any()
    alone = [run(plan, [image], backend)[0, 0, 0, 0] for image in wide[:1]]
    assert alone == values[:1].tolist()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("border", ["constant", "reflect", "replicate", "wrap"])
def test_a_resize_with_its_own_kernel_has_its_border(backend, border):
    image = noise(5, 20)
    letterbox = Resize(size=(12, 12), mode="letterbox", interpolation="lanczos3", border=border)
    results = run(compiled(letterbox, fill=50), [image], backend)[0]
    inner = run(compiled(Resize(size=(3, 12), interpolation="lanczos3")), [image], backend)[0]
    expected = np.stack(
        [cv2.copyMakeBorder(inner[..., c], 4, 5, 0, 0, CV2_BORDERS[border], value=50) for c in range(3)], axis=2
    )
    np.testing.assert_allclose(results, expected, atol=1e-3)


CENTRES = st.tuples(st.floats(0, 0.5), st.floats(0.5, 1))
INSIDE = st.one_of(
    st.builds(Resize, size=st.just((20, 13)), mode=st.sampled_from(["fit", "shortest", "crop", "longest"])),
    st.builds(RandomResize, size=st.just((9, 9)), mode=st.sampled_from(["fit", "shortest", "longest"])),
    st.builds(CentralCrop, fraction=st.floats(0.1, 1)),
    st.builds(CentralCrop, size=st.tuples(st.integers(1, 30), st.integers(1, 30))),
    st.builds(RandomCrop, size=st.tuples(st.integers(1, 30), st.integers(1, 30))),
    st.builds(CentralCropThenResize, size=st.just((20, 13)), fraction=st.floats(0.1, 1)),
    st.builds(RandomWindow, centre_x=CENTRES, centre_y=CENTRES),
    st.builds(RandomResizedCrop, size=st.just((9, 7))),
    st.builds(ResizeThenRandomCrop, resize=st.just((9, 7)), size=st.tuples(st.integers(1, 10), st.integers(1, 10))),
    st.builds(RandomFlip, mode=st.just("horizontal_and_vertical")),
    st.builds(RandomRotate90, p=st.just(0.5)),
    st.builds(Pad, padding=st.integers(0, 2), p=st.sampled_from([0.5, 1.0])),
    st.builds(Zoom, scale=st.tuples(st.floats(0.5, 1), st.floats(1, 3)), scale_y=st.just((1.0, 2.0))),
)


@settings(deadline=None, max_examples=150)
@given(operation=INSIDE, least=st.tuples(st.integers(1, 25), st.integers(1, 25)), larger=st.integers(0, 9))
def test_what_is_said_to_stay_inside_does(operation, least, larger):
    sizes = np.array([least, (least[0] + larger, least[1])] * 8)
    u = uniform(5, 0, np.arange(16), "x", 1 + GEOMETRY[type(operation)].draws)
    drawn = warp(operation, u, sizes)
    assert (drawn.sizes >= least_size_after(operation, np.array([least]))).all()
    if not shows_outside(operation, least):
        for matrix, source, size in zip(drawn.matrices, sizes, drawn.sizes, strict=True):
            corners = matrix @ np.array([[0, size[1], 0, size[1]], [0, 0, size[0], size[0]], [1, 1, 1, 1]])
            left = source[::-1] - corners[:2].T
            assert corners.min() >= -1e-9
            assert left.min() >= -1e-9
