"""What holds for all changes of tone and filters."""

import numpy as np
import pytest
from pixel_runs import assert_chance_is_pure, run
from pixel_samples import changed, sample

from vernier.augment.opencv_backend import OpenCVBackend
from vernier.augment.pixel.table import PIXEL
from vernier.augment.plan import compile_plan
from vernier.augment.torch_backend import TorchBackend
from vernier.config.operations.colour import Brightness, Contrast
from vernier.config.operations.tone import (
    HSV,
    JPEG,
    AutoContrast,
    Blur,
    Clip,
    Equalize,
    Gamma,
    GaussianBlur,
    GaussianNoise,
    Hue,
    Posterize,
    RGBToHSV,
    Saturation,
    Sharpness,
    Solarize,
    Value,
)

IMAGE = np.random.default_rng(4).integers(0, 256, (18, 23, 3), dtype=np.uint8)
IMAGE[3:6, 4:9] = 77
OPERATIONS = (
    Hue(delta=0.3),
    Saturation(delta=0.5),
    Value(delta=0.5),
    HSV(),
    RGBToHSV(p=0.5),
    Gamma(),
    Clip(low=30, high=200, p=0.5),
    Posterize(bits=(1, 4)),
    Solarize(p=0.5),
    AutoContrast(p=0.5),
    Equalize(p=0.5),
    Sharpness(),
    Blur(),
    GaussianBlur(),
    GaussianNoise(),
    JPEG(quality=(5, 90)),
)
PIXELWISE = tuple(operation for operation in OPERATIONS if type(operation) in PIXEL)
FILTERS = (Sharpness, Blur, GaussianBlur)


def name(operation):
    return operation.name


@pytest.mark.parametrize("operation", [*OPERATIONS, Brightness(), Contrast()], ids=name)
def test_chance_is_a_function_of_seed_epoch_and_sample(operation):
    assert_chance_is_pure(operation)


@pytest.mark.parametrize("operation", OPERATIONS, ids=name)
def test_without_probability_nothing_happens(operation):
    for channels in (1, 3):
        image = IMAGE[..., :channels]
        never = operation.model_copy(update={"p": 0.0})
        np.testing.assert_array_equal(run(never, [np.ascontiguousarray(image)])[0], image)


@pytest.mark.parametrize("operation", PIXELWISE, ids=name)
def test_bytes_and_floats_give_the_same(operation):
    """What works on 8 bits gives the same, everything else the same up to rounding."""
    for channels in (1, 3):
        image = np.ascontiguousarray(IMAGE[..., :channels])
        np.testing.assert_allclose(changed(operation, image), changed(operation, image.astype(np.float32)), atol=1e-3)


@pytest.mark.parametrize("operation", PIXELWISE, ids=name)
def test_what_is_given_is_not_written_to_even_if_it_is_the_operation_s_own(operation):
    """As when a policy draws an operation twice."""
    how, one = PIXEL[type(operation)], sample(*[0.7] * 3)
    one = type(one)(one.u[: how.draws_of(operation)], 3, 0, one.scratch)
    for image in (IMAGE, IMAGE.astype(np.float32)):
        before = image.copy()
        first = how.effect(operation, image, one)
        np.testing.assert_array_equal(image, before)
        kept = first.copy()
        second = how.effect(operation, first, one)
        np.testing.assert_array_equal(first, kept)
        np.testing.assert_array_equal(second, changed(operation, kept, *one.u, key=3))


@pytest.mark.parametrize("operation", OPERATIONS, ids=name)
def test_channels_that_are_no_colours_are_only_filtered(operation):
    """Colours lie anywhere among the channels; each result is that of the colours alone."""
    places = [4, 0, 2]
    many = np.random.default_rng(0).integers(0, 256, (18, 23, 5), dtype=np.uint8)
    many[..., places] = IMAGE
    always = operation.model_copy(update={"p": 1.0})
    keys = {"border": "constant", "fill": 0, "interpolation": "bilinear", "seed": 0, "native_size": IMAGE.shape[:2]}
    plan = compile_plan([always], channels=5, colours=tuple(places), **keys)
    results = OpenCVBackend(plan, 0).batch([many] * 2, np.arange(2), 0).permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(results[..., places], run(always, [IMAGE] * 2), atol=1e-4)
    others = results[..., [1, 3]]
    if isinstance(operation, FILTERS):
        assert np.abs(others - many[..., [1, 3]]).max() > 1
    else:
        np.testing.assert_array_equal(others, [many[..., [1, 3]]] * 2)
    on_device = TorchBackend(plan, "cpu").batch([many] * 2, np.arange(2), 0).permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(on_device, results, atol=1e-2)


@pytest.mark.parametrize("operation", [Hue(), Saturation(), RGBToHSV(p=1.0)], ids=name)
def test_grey_images_have_neither_hue_nor_saturation(operation):
    grey = np.ascontiguousarray(IMAGE[..., :1])
    np.testing.assert_array_equal(run(operation, [grey])[0], grey)
