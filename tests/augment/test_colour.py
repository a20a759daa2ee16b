"""Colour changes, against torchvision in float and colorsys."""

import colorsys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.transforms import functional as tv

from vernier.augment.colour import ColourDraw
from vernier.augment.opencv_backend import OpenCVBackend
from vernier.augment.plan import compile_plan
from vernier.augment.randomness import uniform
from vernier.augment.torch_backend import TorchBackend
from vernier.config.augment import CentralCrop, ColorJitter, Normalize, RandomRotate, Rescale
from vernier.config.operations.colour import Brightness, Contrast, Grayscale, Invert
from vernier.config.operations.tone import Clip, Hue

BACKENDS = ("opencv", "torch")


def through(operations, image, backend="opencv", n=1, seed=0, colours=None):
    """Results for samples 0 to n - 1, float32 (n, C, H, W)."""
    plan = compile_plan(
        operations,
        channels=image.shape[2],
        border="constant",
        fill=0,
        interpolation="bilinear",
        seed=seed,
        native_size=image.shape[:2],
        colours=colours,
    )
    made = OpenCVBackend(plan, 0) if backend == "opencv" else TorchBackend(plan, "cpu")
    return made.batch([image] * n, np.arange(n), 0)


@pytest.fixture
def image(photos):
    return photos["flower"][100:180, 200:300]


@pytest.fixture
def floats(image):
    """The image as torchvision takes it: (3, H, W) from 0 to 1."""
    return torch.from_numpy(image.transpose(2, 0, 1).copy()) / 255


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("field", "oracle"),
    [("brightness", tv.adjust_brightness), ("contrast", tv.adjust_contrast), ("saturation", tv.adjust_saturation)],
)
def test_a_darkening_factor_is_that_of_torchvision(field, oracle, backend, image, floats):
    """Below 1 nothing leaves the range, where torchvision would clip and Vernier does not."""
    result = through([ColorJitter(**{field: (0.6, 0.6)})], image, backend)[0] / 255
    torch.testing.assert_close(result, oracle(floats, 0.6), atol=2e-4, rtol=0)


def test_nothing_is_clipped_between_colour_operations(image):
    result = through([ColorJitter(brightness=(2, 2)), Rescale(scale=0.5)], image)[0]
    torch.testing.assert_close(result, torch.from_numpy(image.transpose(2, 0, 1)).float(), atol=1e-4, rtol=0)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("turn", [-0.5, -0.31, -0.01, 0.001, 0.2, 0.5])
def test_hue_is_that_of_torchvision(turn, backend, image, floats):
    result = through([ColorJitter(hue=(turn, turn))], image, backend)[0] / 255
    torch.testing.assert_close(result, tv.adjust_hue(floats, turn), atol=2e-5, rtol=0)


@pytest.mark.parametrize("backend", BACKENDS)
def test_hue_is_that_of_colorsys(backend):
    colours = np.array([[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 255], [12, 200, 34], [9, 9, 8]], np.uint8)
    expected = []
    for red, green, blue in colours / 255:
        hue, saturation, value = colorsys.rgb_to_hsv(red, green, blue)
        expected.append(colorsys.hsv_to_rgb((hue + 0.4) % 1, saturation, value))
    result = through([ColorJitter(hue=(0.4, 0.4))], colours[None], backend)[0, :, 0].T
    np.testing.assert_allclose(result / 255, expected, atol=2e-5)


@pytest.mark.parametrize("backend", BACKENDS)
def test_hue_clips_what_it_turns_and_leaves_the_rest(backend, image):
    """Hue of a colour outside the range is not defined."""
    turned = through([ColorJitter(brightness=(3, 3), hue=(0.2, 0.2))], image, backend)
    assert turned.min() >= 0
    assert turned.max() <= 255.001
    kept = through([ColorJitter(brightness=(3, 3)), ColorJitter(hue=(0.2, 0.2), p=0.0)], image, backend)
    assert kept.max() > 300


@pytest.mark.parametrize("backend", BACKENDS)
def test_contrast_pivots_on_the_mean_at_its_place_in_the_list(backend, image):
    """Brightness 2, then contrast 0: everything becomes twice the mean grey."""
    result = through([ColorJitter(brightness=(2, 2)), ColorJitter(contrast=(0, 0))], image, backend)
    grey = 2 * (image.reshape(-1, 3).mean(axis=0) @ [0.299, 0.587, 0.114])
    np.testing.assert_allclose(result.numpy(), grey, rtol=1e-4)


@pytest.mark.parametrize("backend", BACKENDS)
def test_contrast_after_a_crop_pivots_on_the_crop(backend, image):
    result = through([CentralCrop(size=(20, 20)), ColorJitter(contrast=(0, 0))], image, backend)
    grey = image[30:50, 40:60].reshape(-1, 3).mean(axis=0) @ [0.299, 0.587, 0.114]
    np.testing.assert_allclose(result.numpy(), grey, rtol=1e-4)


@pytest.mark.parametrize("backend", BACKENDS)
def test_normalize_and_rescale(backend, image, floats):
    mean, std = (0.1, 0.5, 0.7), (0.2, 0.3, 0.4)
    result = through([Normalize(mean=mean, std=std)], image, backend)[0]
    torch.testing.assert_close(result, tv.normalize(floats, mean, std), atol=1e-5, rtol=1e-5)
    result = through([Rescale(scale=1 / 127.5, offset=-1)], image, backend)[0]
    torch.testing.assert_close(result, floats * 2 - 1, atol=1e-5, rtol=0)


@pytest.mark.parametrize("backend", BACKENDS)
def test_grey_images_know_brightness_and_contrast_only(backend, image):
    grey = image[..., :1]
    jitter = ColorJitter(brightness=(0.5, 0.5), contrast=(0.5, 0.5), saturation=(0, 0), hue=(0.3, 0.3))
    result = through([jitter, Normalize(mean=(0.5,), std=0.5)], grey, backend)
    jittered = 0.25 * grey[..., 0] + 0.25 * grey.mean()
    assert result.shape == (1, 1, 80, 100)
    np.testing.assert_allclose(result[0, 0], (jittered / 255 - 0.5) / 0.5, atol=1e-4)


def test_factors_fill_their_range():
    image = np.full((1, 1, 3), 100, np.uint8)
    results = through([ColorJitter(brightness=0.4)], image, n=2000)[:, 0, 0, 0].numpy() / 100
    assert results.min() == pytest.approx(0.6, abs=0.01)
    assert results.max() == pytest.approx(1.4, abs=0.01)
    assert results.mean() == pytest.approx(1, abs=4 * 0.8 / np.sqrt(12 * 2000))
    strong = through([ColorJitter(brightness=3.0)], image, n=200)[:, 0, 0, 0].numpy()
    assert strong.min() >= 0


def test_p_chooses_its_share():
    image = np.full((1, 1, 3), 100, np.uint8)
    results = through([ColorJitter(brightness=(0.5, 0.5), p=0.25)], image, n=2000)[:, 0, 0, 0].numpy()
    assert set(np.unique(results)) == {50, 100}
    assert (results == 50).mean() == pytest.approx(0.25, abs=4 * np.sqrt(0.1875 / 2000))


@given(seed=st.integers(0, 1000), channels=st.sampled_from([1, 3]))
def test_offsets_follow_the_mean_as_told(seed, channels):
    jitter = ColorJitter(brightness=0.5, contrast=0.5, saturation=0.5, p=0.7)
    between = (
        Contrast(factor=0.5, p=0.8),
        Brightness(),
        Grayscale(p=0.5),
        Rescale(scale=0.5, offset=3.0),
        Invert(p=0.5),
    )
    operations = (jitter, *between, jitter, Normalize(mean=0.5, std=0.25))
    draws = tuple(uniform(seed, 0, np.arange(4), f"{n}", 5) for n in range(len(operations)))
    draw = ColourDraw(operations, draws, tuple(range(channels)))
    means = uniform(seed, 1, np.arange(4), "means", channels) * 255
    black, slopes = draw.by_mean(channels)
    black[:, :, -1] += (slopes @ means[:, :, None])[:, :, 0]
    np.testing.assert_allclose(black, draw.matrices(means), atol=1e-10)


def formula(operation, colours):
    """What an operation without chance makes of colours (..., C), float64."""
    match operation:
        case Brightness(delta=(delta, _)):
            return colours + 255 * delta
        case Contrast(factor=(factor, _)):
            means = colours.mean(axis=(0, 1))
            return factor * (colours - means) + means
        case Grayscale():
            grey = colours @ [0.299, 0.587, 0.114] if colours.shape[-1] == 3 else colours[..., 0]
            return np.repeat(grey[..., None], colours.shape[-1], axis=-1)
        case Invert():
            return 255 - colours


AFFINE = (
    Brightness(delta=(0.3, 0.3)),
    Brightness(delta=(-0.4, -0.4)),
    Contrast(factor=(1.7, 1.7)),
    Contrast(factor=(0.2, 0.2)),
    Grayscale(p=1.0),
    Invert(p=1.0),
)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("operation", AFFINE, ids=lambda operation: operation.name)
def test_affine_operations_are_their_formulas(operation, backend, image):
    """On colours, on grey, and on colours among other channels, which stay."""
    floats = image.astype(np.float64)
    for places, channels in (((0, 1, 2), 3), ((0,), 1), ((3, 0, 4), 5), ((1,), 2), ((), 4)):
        many = np.random.default_rng(0).integers(0, 256, (*image.shape[:2], channels), dtype=np.uint8)
        many[..., list(places)] = image[..., : len(places)]
        expected = many.astype(np.float64)
        if places:
            expected[..., list(places)] = formula(operation, floats[..., : len(places)])
        result = through([operation], many, backend, colours=places)[0].permute(1, 2, 0)
        np.testing.assert_allclose(result, expected, atol=1e-3)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_chain_is_one_matrix_with_the_mean_at_its_place(backend, image):
    chain = [*AFFINE[:4], Normalize(mean=0.25, std=0.5)]
    expected = image.astype(np.float64)
    for operation in AFFINE[:4]:
        expected = formula(operation, expected)
    result = through(chain, image, backend)[0].permute(1, 2, 0)
    np.testing.assert_allclose(result, (expected / 255 - 0.25) / 0.5, atol=1e-4)


@pytest.mark.parametrize("backend", BACKENDS)
def test_normalize_takes_a_value_for_each_of_many_channels(backend):
    many = np.random.default_rng(0).integers(0, 256, (6, 7, 5), dtype=np.uint8)
    mean, std = np.linspace(0.1, 0.9, 5), np.linspace(0.2, 1, 5)
    result = through([Normalize(mean=tuple(mean), std=tuple(std))], many, backend, colours=(2,))[0].permute(1, 2, 0)
    np.testing.assert_allclose(result, (many / 255 - mean) / std, atol=1e-5)


def test_shifts_and_factors_fill_their_ranges():
    image = np.array([0, 200], np.uint8).reshape(1, 2, 1).repeat(3, axis=2)
    shifts = (through([Brightness(delta=0.4)], image, n=2000)[:, 0, 0, 0].numpy()) / 255
    assert (shifts.min(), shifts.max()) == pytest.approx((-0.4, 0.4), abs=0.01)
    results = through([Contrast(factor=0.6)], image, n=2000)[:, 0, 0]
    factors = ((results[:, 1] - results[:, 0]) / 200).numpy()
    assert (factors.min(), factors.max()) == pytest.approx((0.4, 1.6), abs=0.01)
    for number in (shifts, factors - 1):
        assert number.mean() == pytest.approx(0, abs=4 * 1.2 / np.sqrt(12 * 2000))


def test_grayscale_and_invert_choose_a_quarter():
    image = np.full((1, 1, 3), 100, np.uint8)
    image[..., 0] = 200
    for operation in (Grayscale(), Invert()):
        changed = (through([operation], image, n=2000)[:, 0, 0, 0] != 200).numpy()
        assert changed.mean() == pytest.approx(0.25, abs=4 * np.sqrt(0.1875 / 2000))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("turn", [-0.5, -0.05, 0.2])
def test_the_hue_operation_turns_as_the_jitter_does(turn, backend, image):
    jitter = through([ColorJitter(hue=(turn, turn))], image, backend)
    torch.testing.assert_close(through([Hue(delta=(turn, turn))], image, backend), jitter)


def test_neighbours_merge_and_what_changes_black_stays_in_front_of_a_fill(image):
    def stages(*operations, fill=0):
        border = {"border": "constant", "fill": fill, "interpolation": "bilinear", "seed": 0}
        return compile_plan(operations, channels=3, native_size=(8, 8), **border).describe()

    assert stages(Brightness(), Contrast(), Grayscale(), Invert(), Normalize(mean=0.5, std=0.5)) == (
        "colour matrix: Brightness, Contrast, Grayscale, Invert, Normalize",
    )
    assert stages(Grayscale(), RandomRotate())[0].startswith("warp")
    for operation in (Brightness(), Contrast(), Invert()):
        assert stages(operation, RandomRotate())[0].startswith("colour")
    assert stages(Brightness(), Clip(), Contrast(), Hue()) == (
        "colour matrix: Brightness",
        "Clip",
        "colour matrix: Contrast",
        "hue turn",
    )
