import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms.v2 import functional as tv

from vernier.augment.preprocess import Preprocessing, compile_preprocessing
from vernier.augment.preprocess_tensor import preprocess_tensor
from vernier.config.augment import CentralCrop, Normalize, Rescale, Resize
from vernier.errors import ConfigError, ModelError

PILLOW = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def _compile(*operations, channels=3, fill=0, interpolation="bilinear") -> Preprocessing:
    return compile_preprocessing(operations, channels=channels, fill=fill, interpolation=interpolation)


def _random(height: int, width: int, channels: int = 3) -> np.ndarray:
    generator = np.random.default_rng(height * 1000 + width)
    return generator.integers(0, 256, (height, width, channels), dtype=np.uint8)


@pytest.mark.parametrize("kernel", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(64, 96), (224, 224), (600, 700)])
def test_fit_is_pillows_resize_of_floats(photos, kernel, size):
    planes = photos["china"].transpose(2, 0, 1).astype(np.float32)
    result = _compile(Resize(size=size), interpolation=kernel)(photos["china"])
    expected = [Image.fromarray(plane).resize(size[::-1], PILLOW[kernel]) for plane in planes]
    np.testing.assert_allclose(result, np.stack(expected), atol=1e-3)


def test_pillows_resize_of_bytes_is_within_a_level(photos):
    result = _compile(Resize(size=(64, 96)))(photos["china"])
    expected = Image.fromarray(photos["china"]).resize((96, 64), Image.Resampling.BILINEAR)
    assert np.abs(result.transpose(1, 2, 0) - np.asarray(expected, np.float64)).max() < 1.01


def test_a_crop_may_miss_a_tiny_image():
    preprocessing = _compile(Resize(size=(40, 2), mode="letterbox"), CentralCrop(size=1), fill=50)
    np.testing.assert_array_equal(preprocessing(_random(1, 2)), np.full((3, 1, 1), 50))


@given(st.integers(5, 90), st.integers(5, 90), st.integers(4, 60), st.integers(4, 60))
@settings(max_examples=60, deadline=None)
def test_shortest_and_crop_are_torchvisions(height, width, resize, crop):
    image = _random(height, width)
    result = _compile(Resize(size=resize, mode="shortest"), CentralCrop(size=crop), fill=7)(image)
    floats = torch.from_numpy(image).permute(2, 0, 1).double()
    # torchvision pads with 0 only: shift the grey levels instead.
    resized = tv.resize(floats - 7, [resize], antialias=True)
    expected = tv.center_crop(resized, [crop, crop]) + 7
    np.testing.assert_allclose(result, expected.numpy(), atol=1e-3)


@given(st.integers(1, 80), st.integers(1, 80), st.booleans(), st.sampled_from([0, 114]))
@settings(max_examples=60, deadline=None)
def test_numpy_and_torch_compute_the_same(height, width, letterbox, fill):
    mode = "letterbox" if letterbox else "fit"
    preprocessing = _compile(CentralCrop(fraction=0.8), Resize(size=(24, 40), mode=mode), Rescale(), fill=fill)
    image = _random(height, width)
    expected = preprocess_tensor(preprocessing, torch.from_numpy(image).permute(2, 0, 1))
    assert expected.dtype == torch.float32
    np.testing.assert_allclose(preprocessing(image), expected.numpy(), atol=2e-6)


def test_letterbox_fills_beside_the_whole_image(photos):
    image = photos["flower"][:100, :200]
    result = _compile(Resize(size=(64, 64), mode="letterbox"), fill=114)(image)
    assert (result[:, :16] == 114).all()
    assert (result[:, 48:] == 114).all()
    inner = tv.resize(torch.from_numpy(image).permute(2, 0, 1).double(), [32, 64], antialias=True)
    np.testing.assert_allclose(result[:, 16:48], inner.numpy(), atol=1e-3)


def test_crop_alone_pads_what_is_smaller():
    image = _random(3, 20)
    result = _compile(CentralCrop(size=(8, 8)), fill=9)(image)
    expected = np.full((8, 8, 3), 9)
    expected[2:5] = image[:, 6:14]
    np.testing.assert_array_equal(result, expected.transpose(2, 0, 1))


def test_crop_of_a_fraction_then_resize():
    image = _random(80, 40)
    result = _compile(CentralCrop(fraction=0.5), Resize(size=16))(image)
    expected = tv.resize(torch.from_numpy(image[20:60, 10:30]).permute(2, 0, 1).double(), [16, 16], antialias=True)
    np.testing.assert_allclose(result, expected.numpy(), atol=1e-3)


@pytest.mark.parametrize("kernel", ["bilinear", "bicubic", "nearest"])
def test_an_image_of_the_right_size_stays_exactly_as_it_is(kernel):
    image = _random(32, 48)
    for operations in (
        [Resize(size=(32, 48))],
        [Resize(size=(32, 48), mode="letterbox")],
        [CentralCrop(size=(32, 48))],
    ):
        result = _compile(*operations, interpolation=kernel)(image)
        np.testing.assert_array_equal(result, image.transpose(2, 0, 1).astype(np.float32))


def test_an_image_out_of_memory_order_gives_the_same():
    preprocessing, image = _compile(Resize(size=16), Rescale()), _random(40, 30)
    np.testing.assert_array_equal(preprocessing(image[::-1, ::-1]), preprocessing(image[::-1, ::-1].copy()))


def test_grey():
    image = _random(30, 20, 1)
    preprocessing = _compile(Resize(size=10), Normalize(mean=0.5, std=0.25), channels=1)
    expected = tv.resize(torch.from_numpy(image).permute(2, 0, 1).double(), [10, 10], antialias=True).numpy()
    np.testing.assert_allclose(preprocessing(image), (expected / 255 - 0.5) / 0.25, atol=1e-5)


def test_normalize_is_torchvisions():
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    image = _random(8, 8)
    result = _compile(Resize(size=8), Normalize(mean=mean, std=std))(image)
    floats = torch.from_numpy(image).permute(2, 0, 1).float() / 255
    np.testing.assert_allclose(result, tv.normalize(floats, list(mean), list(std)).numpy(), atol=1e-6)


def test_normalize_and_rescale_apply_in_their_order():
    image = _random(4, 4).astype(np.float64)
    first = _compile(Rescale(scale=2, offset=3), Normalize(mean=0.5, std=0.25), Resize(size=4))
    second = _compile(Normalize(mean=0.5, std=0.25), Resize(size=4), Rescale(scale=2, offset=3))
    pixels = image.transpose(2, 0, 1)
    np.testing.assert_allclose(first(image.astype(np.uint8)), ((2 * pixels + 3) / 255 - 0.5) / 0.25, atol=1e-5)
    np.testing.assert_allclose(second(image.astype(np.uint8)), 2 * (pixels / 255 - 0.5) / 0.25 + 3, atol=1e-5)


OPERATIONS = st.lists(
    st.one_of(
        st.builds(Resize, size=st.integers(1, 50), mode=st.sampled_from(["fit", "shortest", "letterbox"])),
        st.builds(CentralCrop, size=st.tuples(st.integers(1, 50), st.integers(1, 50))),
        st.builds(CentralCrop, fraction=st.floats(0.1, 1)),
        st.builds(Normalize, mean=st.floats(0, 1), std=st.floats(0.1, 1)),
        st.builds(Rescale, scale=st.floats(-2, 2), offset=st.floats(-2, 2)),
    ),
    max_size=4,
)


@given(OPERATIONS, st.sampled_from([1, 3]), st.integers(0, 255), st.integers(1, 60), st.integers(1, 60))
@settings(max_examples=80, deadline=None)
def test_any_list_keeps_its_size_and_survives_json(operations, channels, fill, height, width):
    preprocessing = _compile(*operations, CentralCrop(size=(9, 7)), channels=channels, fill=fill)
    again = Preprocessing.from_json(json.loads(json.dumps(preprocessing.to_json())))
    assert again == preprocessing
    assert preprocessing.input_size == (9, 7)
    image = _random(height, width, channels)
    result = preprocessing(image)
    assert result.shape == (channels, 9, 7)
    np.testing.assert_array_equal(result, again(image))


def test_input_size_follows_relative_operations():
    assert _compile(Resize(size=(32, 64)), CentralCrop(fraction=0.5)).input_size == (16, 32)
    assert _compile(CentralCrop(size=(32, 64)), Resize(size=16, mode="shortest")).input_size == (16, 32)


@pytest.mark.parametrize(
    "operations", [[], [Resize(size=8, mode="shortest")], [CentralCrop(fraction=0.5)], [Rescale()]]
)
def test_no_fixed_size_is_refused(operations):
    with pytest.raises(ConfigError, match=r"augment\.eval: images would keep sizes.*end with CentralCrop"):
        _compile(*operations)


def test_statistics_of_other_channels_are_refused():
    with pytest.raises(ConfigError, match=r"augment\.eval: Normalize\.mean has 3 values for images of 1 channel"):
        _compile(Resize(size=8), Normalize(mean=(0.1, 0.2, 0.3), std=1.0), channels=1)


@pytest.mark.parametrize(
    "change",
    [
        {"channels": "three"},
        {"scale": [1.0]},
        {"geometry": [{"name": "Resize", "size": 8, "mode": "shortest"}]},
        {"geometry": [{"name": "Resize", "size": "auto"}]},
        {"geometry": [{"name": "Exec", "code": "1"}]},
        {"more": 1},
    ],
)
def test_damaged_json_is_refused(change):
    values = _compile(Resize(size=8), Rescale()).to_json() | change
    with pytest.raises(ModelError, match="preprocessing can't be read"):
        Preprocessing.from_json(values)


def test_resize_longest_and_a_crop_are_a_letterbox(photos):
    image = photos["china"][:60, :91]
    letterbox = _compile(Resize(size=(40, 40), mode="letterbox"), fill=9)(image)
    np.testing.assert_array_equal(
        _compile(Resize(size=(40, 40), mode="longest"), CentralCrop(size=(40, 40)), fill=9)(image), letterbox
    )


def test_an_operation_s_own_fill_is_that_of_evaluation(photos):
    image = photos["china"][:30, :40]
    own = _compile(Resize(size=(40, 40), mode="letterbox", fill=200), fill=9)
    assert own.fill == 200
    assert (own(image)[:, 0] == 200).all()
