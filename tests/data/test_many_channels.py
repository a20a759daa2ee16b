"""Images of any number of channels, and of more than 8 bits."""

import io
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from vernier.data.decode import ImageError, decode
from vernier.data.images import FileImages

LIMIT = 10_000


def _npy(values):
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def _tiff(values, **options):
    file = io.BytesIO()
    tifffile.imwrite(file, values, photometric="minisblack", **{"planarconfig": "contig", **options})
    return file.getvalue()


def _values(channels, dtype=np.uint8):
    top = 256 if dtype == np.uint8 else 65536
    return np.random.default_rng(channels).integers(0, top, (7, 5, channels)).astype(dtype)


def _decode(data, channels, value_range=None):
    return decode(data, channels=channels, max_pixels=LIMIT, path="image", value_range=value_range)


@pytest.mark.parametrize("channels", [2, 4, 5, 13])
@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"byteorder": ">"}])
def test_a_tiff_keeps_its_channels(channels, options):
    values = _values(channels)
    np.testing.assert_array_equal(_decode(_tiff(values, **options), channels), values)
    planes = _tiff(values.transpose(2, 0, 1), planarconfig="separate", **options)
    np.testing.assert_array_equal(_decode(planes, channels), values)


@pytest.mark.parametrize("channels", [1, 3, 6])
def test_an_array_keeps_its_channels(channels):
    values = _values(channels)
    np.testing.assert_array_equal(_decode(_npy(values), channels), values)


def test_an_array_of_two_dimensions_is_grey():
    np.testing.assert_array_equal(_decode(_npy(_values(1)[:, :, 0]), 1), _values(1))


@pytest.mark.parametrize("encode", [_npy, _tiff])
def test_sixteen_bits_become_eight_by_the_whole_range(encode):
    values = _values(5, np.uint16)
    decoded = _decode(encode(values), 5)
    assert np.abs(decoded - values / 257).max() <= 0.5


@given(st.floats(-1000, 1000), st.floats(1, 5000), st.sampled_from([np.int16, np.uint16, np.float32]))
def test_a_range_becomes_black_to_white(low, width, dtype):
    values = np.linspace(-500, 5000, 35).reshape(7, 5, 1).astype(dtype)
    expected = np.clip((values.astype(np.float64) - low) / width * 255, 0, 255)
    assert np.abs(_decode(_npy(values), 1, (low, low + width)) - expected).max() <= 0.5 + 1e-6


def test_no_data_is_black():
    values = np.array([[[np.nan], [2.0]]], np.float32)
    np.testing.assert_array_equal(_decode(_npy(values), 1, (1.0, 2.0)), [[[0], [255]]])


def test_a_sixteen_bit_png_takes_the_range_too():
    file = io.BytesIO()
    Image.fromarray(np.array([[1000, 2000, 3000]], np.uint16)).save(file, "PNG")
    np.testing.assert_array_equal(_decode(file.getvalue(), 1, (1000, 3000))[0, :, 0], [0, 128, 255])


@pytest.mark.parametrize("kind", ["PNG", "WebP"])
def test_four_channels_keep_transparency(kind):
    values = _values(4)
    values[..., 3] = 255
    values[0, :, 3] = 7
    file = io.BytesIO()
    Image.fromarray(values).save(file, kind, **({"lossless": True, "exact": True} if kind == "WebP" else {}))
    np.testing.assert_array_equal(_decode(file.getvalue(), 4), values)


def test_a_jpeg_is_opaque():
    file = io.BytesIO()
    Image.fromarray(_values(3)).save(file, "JPEG")
    whole = _decode(file.getvalue(), 4)
    np.testing.assert_array_equal(whole[..., :3], _decode(file.getvalue(), 3))
    assert (whole[..., 3] == 255).all()


def test_red_green_blue_and_infrared_is_not_transparency():
    values = _values(4)
    np.testing.assert_array_equal(_decode(_tiff(values), 4), values)
    file = io.BytesIO()
    Image.fromarray(values).save(file, "TIFF")
    np.testing.assert_array_equal(_decode(file.getvalue(), 4), values)


@pytest.mark.parametrize(
    ("data", "channels", "words"),
    [
        (_npy(_values(5)), 3, "has 5 channels, but data.channels=3"),
        (_tiff(_values(5)), 6, "has 5 channels, but data.channels=6"),
        (_npy(_values(5).astype(np.float32)), 5, r"data.value_range=\[LOW,HIGH\]"),
        (_npy(_values(5))[:60], 5, "is damaged"),
        (_npy(_values(5))[:-3], 5, "is damaged or truncated"),
        (_tiff(_values(5))[:-20], 5, "is damaged|truncated"),
        (_npy(np.zeros((2, 2, 2, 2), np.uint8)), 2, "not numbers of shape"),
        (_npy(np.array([["a"]])), 1, "not numbers of shape"),
    ],
)
def test_what_can_not_be_read_is_said(data, channels, words):
    with pytest.raises(ImageError, match=words):
        _decode(data, channels)


def test_a_jpeg_has_no_five_channels():
    file = io.BytesIO()
    Image.fromarray(_values(3)).save(file, "JPEG")
    with pytest.raises(ImageError, match=r"is a JPEG file, which can't have 5 channels \(data.channels\)"):
        _decode(file.getvalue(), 5)


def test_an_object_in_an_array_is_never_unpickled(tmp_path):
    file = io.BytesIO()
    np.save(file, np.array([[Path]], dtype=object), allow_pickle=True)
    with pytest.raises(ImageError):
        _decode(file.getvalue(), 1)


def test_files_of_six_channels_are_images(tmp_path):
    values = _values(6, np.uint16)
    (tmp_path / "a.npy").write_bytes(_npy(values))
    images = FileImages(tmp_path, ["a.npy"], 6, LIMIT, (0.0, 10_000.0))
    assert images.size(0) == (7, 5)
    assert images.read(0).shape == (7, 5, 6)
    assert images.fingerprint() != FileImages(tmp_path, ["a.npy"], 6, LIMIT).fingerprint()
