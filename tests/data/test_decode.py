import io
import pickle
import struct
import threading
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from vernier.data.decode import ImageError, decode, image_header, turn_upright

MAX_PIXELS = 178_956_970


def encode(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def size_of(data, max_pixels=MAX_PIXELS, denominator=1):
    return image_header(io.BytesIO(data), max_pixels=max_pixels).reduced(denominator).upright_size


def read(data, channels=3, max_pixels=MAX_PIXELS):
    """Decode, checking on the way that the header's size is that of the pixels."""
    pixels = decode(data, channels=channels, max_pixels=max_pixels, path="here/a.img")
    assert pixels.dtype == np.uint8
    assert pixels.shape == (*size_of(data, max_pixels), channels)
    assert pixels.flags.c_contiguous
    return pixels


def difference(a, b):
    return np.abs(a.astype(int) - b.astype(int)).max()


def reason_of(data, channels=3, max_pixels=MAX_PIXELS):
    with pytest.raises(ImageError) as caught:
        decode(data, channels=channels, max_pixels=max_pixels, path="here/a.img")
    assert caught.value.path == "here/a.img"
    assert str(caught.value) == f"here/a.img: {caught.value.reason}"
    return caught.value.reason


@pytest.fixture(scope="module")
def photo(photos):
    """A crop of a real photograph, not square and with odd sides."""
    return Image.fromarray(photos["china"][100:233, 200:401])


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"keep_rgb": True}])
@pytest.mark.parametrize("name", ["china", "flower"])
def test_jpeg_agrees_with_pillow(photos, name, options):
    data = encode(Image.fromarray(photos[name]), "JPEG", quality=85, **options)
    assert difference(read(data), np.array(Image.open(io.BytesIO(data)))) <= 2


def test_colour_jpeg_as_grey_is_its_luma(photo):
    data = encode(photo, "JPEG", quality=90)
    reference = Image.open(io.BytesIO(data))
    reference.draft("L", reference.size)
    assert difference(read(data, 1)[:, :, 0], np.array(reference)) <= 2


def test_grey_jpeg_as_colour_is_repeated(photo):
    data = encode(photo.convert("L"), "JPEG")
    pixels = read(data)
    assert difference(pixels, np.array(Image.open(io.BytesIO(data)))[:, :, None]) <= 2
    assert (pixels == pixels[:, :, :1]).all()


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("BMP", {}),
        ("WebP", {"lossless": True}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"compression": "tiff_deflate"}),
        ("TIFF", {"big_tiff": True}),
    ],
)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_lossless_formats_give_the_pixels_back(photo, kind, options, mode):
    data = encode(photo.convert(mode), kind, **options)
    assert (read(data) == np.array(photo.convert(mode).convert("RGB"))).all()


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
def test_colour_becomes_grey_by_bt_601(photo, kind):
    weights = np.array([0.299, 0.587, 0.114])
    expected = np.array(photo, float) @ weights
    assert np.abs(read(encode(photo, kind), 1)[:, :, 0] - expected).max() <= 1


def test_first_frame_of_a_gif(photos):
    frames = [Image.fromarray(photos[name][:60, :80]).quantize(64) for name in ("china", "flower")]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert (read(data) == np.array(frames[0].convert("RGB"))).all()


def test_first_page_of_a_tiff(photos):
    pages = [Image.fromarray(photos[name][:60, :80]) for name in ("china", "flower")]
    data = encode(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    assert (read(data) == np.array(pages[0])).all()


def test_one_bit_image(photo):
    bits = photo.convert("1")
    assert (read(encode(bits, "PNG"), 1)[:, :, 0] == np.array(bits) * np.uint8(255)).all()


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_agrees_with_the_colours_it_was_made_from(photo, kind):
    # Pillow's way to CMYK and back is exact up to rounding; an inverted reading would be off by up to 255.
    options = {"quality": 98, "subsampling": 0} if kind == "JPEG" else {}
    pixels = read(encode(photo.convert("CMYK"), kind, **options))
    assert np.abs(pixels.astype(int) - np.array(photo)).mean() < 3


def test_cmyk_jpeg_agrees_with_opencv(photo):
    data = encode(photo.convert("CMYK"), "JPEG", quality=98)
    reference = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
    assert np.abs(read(data).astype(int) - reference).mean() < 3


@pytest.fixture(scope="module")
def half_clear(photo):
    """The photograph with its left half fully transparent."""
    image = photo.copy()
    alpha = np.zeros((photo.height, photo.width), np.uint8)
    alpha[:, photo.width // 2 :] = 255
    image.putalpha(Image.fromarray(alpha))
    return image


class TestTransparency:
    @pytest.mark.parametrize("kind", ["PNG", "WebP", "TIFF"])
    def test_is_laid_over_white(self, half_clear, photo, kind):
        options = {"lossless": True} if kind == "WebP" else {}
        pixels = read(encode(half_clear, kind, **options))
        middle = photo.width // 2
        assert (pixels[:, :middle] == 255).all()
        assert (pixels[:, middle:] == np.array(photo)[:, middle:]).all()

    def test_half_transparency_is_mixed(self):
        data = encode(Image.new("RGBA", (4, 3), (255, 0, 100, 128)), "PNG")
        assert difference(read(data), np.array([255, 127, 177])) <= 1

    def test_of_grey_and_of_palette(self, half_clear, photo):
        grey = read(encode(half_clear.convert("LA"), "PNG"), 1)
        assert (grey[:, 0] == 255).all()
        assert (grey[:, -1, 0] == np.array(photo.convert("L"))[:, -1]).all()
        for kind in ("PNG", "GIF"):
            palette = photo.quantize(32)
            palette.info.pop("transparency", None)
            number = palette.getpixel((0, 0))
            pixels = read(encode(palette, kind, transparency=number))
            clear = np.array(palette) == number
            assert (pixels[clear] == 255).all()
            assert (pixels[~clear] == np.array(palette.convert("RGB"))[~clear]).all()

    def test_of_a_single_colour(self, photo):
        colour = photo.getpixel((3, 3))
        pixels = read(encode(photo, "PNG", transparency=colour))
        assert (pixels[3, 3] == 255).all()


class TestSixteenBits:
    ramp = np.arange(65536, dtype=np.uint16).reshape(128, 512)

    @pytest.mark.parametrize("kind", ["PNG", "TIFF"])
    @pytest.mark.parametrize("channels", [1, 3])
    def test_grey_is_scaled_over_the_full_range(self, kind, channels):
        pixels = read(encode(Image.fromarray(self.ramp), kind), channels)
        assert (pixels == np.rint(self.ramp / 257)[:, :, None]).all()

    def test_big_endian_tiff(self):
        data = encode(Image.frombytes("I;16B", (512, 128), self.ramp.astype(">u2").tobytes()), "TIFF")
        assert (read(data, 1)[:, :, 0] == np.rint(self.ramp / 257)).all()

    def test_colour_png_is_scaled_to_within_one_level(self):
        colour = np.stack([self.ramp, self.ramp[::-1], self.ramp[:, ::-1]], axis=2)
        assert np.abs(read(png_rgb16(colour)) - colour / 257).max() <= 1


def png_rgb16(pixels):
    """A PNG file of 16 bits a channel, as the specification has it; Pillow writes none."""

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    height, width = pixels.shape[:2]
    rows = pixels.astype(">u2").reshape(height, -1)
    body = b"".join(b"\0" + row.tobytes() for row in rows)
    head = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(body)) + chunk(b"IEND", b"")


class TestOrientation:
    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "WebP", "TIFF"])
    @pytest.mark.parametrize("channels", [1, 3])
    def test_is_applied_as_pillow_does(self, photo, kind, orientation, channels):
        exif = Image.Exif()
        exif[0x0112] = orientation
        data = encode(photo, kind, exif=exif, **({"lossless": True} if kind == "WebP" else {}))
        stored = Image.open(io.BytesIO(data))
        if channels == 1:
            stored.draft("L", stored.size)
        upright = ImageOps.exif_transpose(stored).convert("RGB" if channels == 3 else "L")
        expected = np.array(upright).reshape(upright.height, upright.width, channels)
        assert difference(read(data, channels), expected) <= 2

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_by_the_definition_of_row_0_and_column_0(self, orientation):
        # Exif 2.32: where the stored row 0 and column 0 lie in the upright picture.
        row_0, column_0 = {
            1: ("top", "left"),
            2: ("top", "right"),
            3: ("bottom", "right"),
            4: ("bottom", "left"),
            5: ("left", "top"),
            6: ("right", "top"),
            7: ("right", "bottom"),
            8: ("left", "bottom"),
        }[orientation]
        edge = {"top": np.s_[0, :], "bottom": np.s_[-1, :], "left": np.s_[:, 0], "right": np.s_[:, -1]}
        stored = np.arange(24, dtype=np.uint8).reshape(4, 6, 1)
        upright = turn_upright(stored, orientation)[:, :, 0]
        assert set(upright[edge[row_0]]) == set(stored[0].ravel())
        assert set(upright[edge[column_0]]) == set(stored[:, 0].ravel())

    def test_that_makes_no_sense_is_ignored(self, photo):
        for content in (b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\0\0", b"Exif\0\0II*\0\x08\0\0\0\x05\0\x12\x01"):
            data = encode(photo, "JPEG", exif=content)
            assert read(data).shape == (133, 201, 3)
        exif = Image.Exif()
        exif[0x0112] = 9
        assert read(encode(photo, "JPEG", exif=exif)).shape == (133, 201, 3)


def area_average(pixels, denominator):
    """The mean over each square of `denominator` pixels a side; what lies over the edge is left out."""
    height, width = (side // denominator for side in pixels.shape[:2])
    whole = pixels[: height * denominator, : width * denominator].astype(float)
    return whole.reshape(height, denominator, width, denominator, -1).mean(axis=(1, 3))


class TestReducedScale:
    @pytest.mark.parametrize("denominator", [2, 4, 8])
    @pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
    @pytest.mark.parametrize("channels", [1, 3])
    def test_jpeg_is_nearly_the_average_over_area(self, photos, denominator, options, channels):
        data = encode(Image.fromarray(photos["flower"][:-6, :-3]), "JPEG", quality=92, **options)
        reduced = decode(data, channels=channels, max_pixels=MAX_PIXELS, denominator=denominator)
        assert reduced.shape == (*size_of(data, denominator=denominator), channels)
        expected = area_average(read(data, channels), denominator)
        error = reduced[: expected.shape[0], : expected.shape[1]] - expected
        assert 10 * np.log10(255**2 / np.mean(error**2)) > 42
        assert abs(error.mean()) < 0.5

    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize("denominator", [2, 8])
    def test_is_turned_upright(self, photo, orientation, denominator):
        exif = Image.Exif()
        exif[0x0112] = orientation
        data = encode(photo, "JPEG", exif=exif, quality=92)
        stored = encode(photo, "JPEG", quality=92)
        reduced = decode(data, channels=3, max_pixels=MAX_PIXELS, denominator=denominator)
        assert reduced.shape[:2] == size_of(data, denominator=denominator)
        upright = decode(stored, channels=3, max_pixels=MAX_PIXELS, denominator=denominator)
        assert (reduced == turn_upright(upright, orientation)).all()

    @pytest.mark.parametrize("size", [(1, 1), (7, 9), (8, 8), (15, 17), (5, 300)])
    @pytest.mark.parametrize("denominator", [2, 4, 8])
    def test_size_is_rounded_up(self, photos, size, denominator):
        data = encode(Image.fromarray(photos["china"][: size[0], : size[1]]), "JPEG")
        reduced = decode(data, channels=3, max_pixels=MAX_PIXELS, denominator=denominator)
        assert reduced.shape == (-(-size[0] // denominator), -(-size[1] // denominator), 3)

    def test_other_kinds_stay_in_full(self, photo):
        files = [encode(photo, kind) for kind in ("PNG", "BMP", "GIF", "WebP", "TIFF")]
        for data in (*files, encode(photo.convert("CMYK"), "JPEG")):
            assert (decode(data, channels=3, max_pixels=MAX_PIXELS, denominator=4) == read(data)).all()
            assert size_of(data, denominator=4) == size_of(data)

    @pytest.mark.parametrize("channels", [1, 3])
    def test_jpeg_that_goes_through_pillow_is_reduced_too(self, photo, channels):
        data = encode(photo, "JPEG", quality=92)
        odd = data[:-2] + b"\x11" * 20 + data[-2:]
        reduced = decode(odd, channels=channels, max_pixels=MAX_PIXELS, denominator=4)
        assert reduced.shape == (34, 51, channels)
        expected = area_average(read(odd, channels), 4)
        assert np.abs(reduced[: expected.shape[0], : expected.shape[1]] - expected).max() <= 1

    def test_limit_is_on_the_full_size(self, photo):
        with pytest.raises(ImageError, match=r"more than data\.max_pixels"):
            decode(encode(photo, "JPEG"), channels=3, max_pixels=photo.width * photo.height - 1, denominator=8)


class TestDamage:
    def test_empty_and_text(self):
        assert reason_of(b"") == "is empty (0 bytes)"
        reason = reason_of(b"hello world, I am text")
        assert reason.startswith("is not an image")
        assert "starts with 'hello world,…'" in reason

    def test_other_binary_kinds_are_named(self):
        assert "HEIC" in reason_of(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
        assert "starts with the bytes 00 01 02" in reason_of(bytes(range(40)))

    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "WebP", "TIFF"])
    @pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
    @pytest.mark.parametrize("channels", [1, 3])
    def test_truncated(self, photo, kind, share, channels):
        data = encode(photo, kind)
        assert reason_of(data[: int(len(data) * share)], channels) == "is truncated"

    def test_truncated_progressive_jpeg_and_jpeg_without_its_end(self, photo):
        data = encode(photo, "JPEG", progressive=True)
        assert reason_of(data[:-200]) == "is truncated"
        assert reason_of(data[:-2]) == "is truncated"

    @pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_deflate", "jpeg"])
    def test_truncated_compressed_tiff(self, photo, compression):
        data = encode(photo, "TIFF", compression=compression)
        assert reason_of(data[: len(data) // 2]) == "is truncated"

    def test_extra_bytes_in_a_jpeg_are_harmless(self, photo):
        data = encode(photo, "JPEG")
        expected = read(data)
        scan = data.index(b"\xff\xda")
        for harmless in (
            data + b"trailing" * 10,
            data[:-2] + b"\x11" * 20 + data[-2:],
            data[:scan] + b"\x11\x22\x33" + data[scan:],
        ):
            assert difference(read(harmless), expected) <= 2
            assert difference(read(harmless, 1), read(data, 1)) <= 2
        with pytest.raises(ValueError, match="extraneous"):
            simplejpeg.decode_jpeg(data[:-2] + b"\x11" * 20 + data[-2:])

    def test_extra_bytes_do_not_hide_that_a_jpeg_is_cut_short(self, photo):
        data = encode(photo, "JPEG", progressive=True)
        second_scan = data.index(b"\xff\xc4", data.index(b"\xff\xda"))
        padded = data[:second_scan] + b"\x11\x22\x33" + data[second_scan:]
        assert difference(read(padded), read(data)) <= 2
        assert reason_of(padded[:-300]) == "is truncated"

    def test_jpeg_whose_middle_is_lost(self, photo):
        data = encode(photo, "JPEG")
        middle = len(data) // 2
        assert reason_of(data[:middle] + b"\xff\xd9" + data[middle + 2 :]).startswith("is damaged")

    def test_png_with_a_wrong_checksum(self, photo):
        data = bytearray(encode(photo, "PNG"))
        data[len(data) // 2] ^= 0xFF
        assert "damaged" in reason_of(bytes(data))

    def test_unknown_range_of_values(self):
        data = encode(Image.fromarray(np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)), "TIFF")
        assert "data.value_range=[LOW,HIGH]" in reason_of(data)

    def test_no_pixels(self, photo):
        data = bytearray(encode(photo, "PNG"))
        data[16:24] = struct.pack(">II", 0, 5)
        assert "5x0 pixels" in reason_of(bytes(data))


def bombs():
    """Small files whose headers promise 30000x30000 pixels."""
    side = 30000
    chunk = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    yield "PNG", b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)) + bytes(64)
    yield (
        "BMP",
        b"BM" + struct.pack("<IHHI", 0, 0, 0, 54) + struct.pack("<IiiHHIIiiII", 40, side, -side, 1, 24, *[0] * 6),
    )
    yield "GIF", b"GIF89a" + struct.pack("<HHBBB", 8, 8, 0, 0, 0) + b"," + struct.pack("<HHHHB", 0, 0, side, side, 0)
    yield "JPEG", b"\xff\xd8\xff\xc0" + struct.pack(">HBHHB", 17, 8, side, side, 3) + bytes(64)
    size = (side - 1).to_bytes(3, "little")
    yield "WebP", b"RIFF" + struct.pack("<I", 30) + b"WEBPVP8X" + struct.pack("<II", 10, 0) + size + size + bytes(8)
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, side) for tag in (256, 257))
    yield "TIFF", b"II*\0" + struct.pack("<IH", 8, 2) + entries + bytes(4)


@pytest.mark.parametrize(("kind", "data"), [pytest.param(*bomb, id=bomb[0]) for bomb in bombs()])
def test_bomb_is_refused_by_its_header(kind, data):
    reason = reason_of(data)
    assert "30000x30000" in reason
    assert "data.max_pixels" in reason
    with pytest.raises(ImageError, match="30000x30000"):
        size_of(data)


def test_pixel_limit_is_the_configured_one_and_pillows_own_stays_silent(photo, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    monkeypatch.setattr("vernier.data.decode._PILLOW_LIMIT", 1000)
    pixels = photo.width * photo.height
    for kind in ("JPEG", "PNG", "BMP", "GIF", "TIFF", "WebP"):
        data = encode(photo, kind)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            read(data, max_pixels=pixels)
        assert "more than data.max_pixels" in reason_of(data, max_pixels=pixels - 1)
    assert Image.MAX_IMAGE_PIXELS == 1000


def test_decoding_in_threads_gives_the_same_pixels(photo):
    files = [encode(photo, kind) for kind in ("JPEG", "PNG", "GIF", "WebP", "TIFF", "BMP")] * 8
    alone = [read(data) for data in files]
    start = threading.Barrier(8)

    def all_of_them(_):
        start.wait()
        return [read(data) for data in files]

    with ThreadPoolExecutor(8) as threads:
        for together in threads.map(all_of_them, range(8)):
            assert all((a == b).all() for a, b in zip(alone, together, strict=True))


SMALL = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 13, 3), np.uint8))
FILES = [encode(SMALL, kind) for kind in ("JPEG", "PNG", "GIF", "BMP", "WebP", "TIFF")]
FILES.append(encode(SMALL, "TIFF", compression="tiff_lzw"))
FILES.append(encode(SMALL.convert("CMYK"), "JPEG"))


@settings(max_examples=400, deadline=None)
@given(file=st.sampled_from(FILES), data=st.data())
def test_any_damage_is_an_image_error_or_none(file, data):
    content = bytearray(file)
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        pixels = decode(content, channels=3, max_pixels=10_000)
    except ImageError:
        return
    assert pixels.shape == (*size_of(content, 10_000), 3)


JPEGS = [encode(SMALL.resize((60, 40)), "JPEG", progressive=progressive) for progressive in (False, True)]


@settings(max_examples=300, deadline=None)
@given(file=st.sampled_from(JPEGS), data=st.data())
def test_damage_shows_at_a_reduced_scale_as_in_full(file, data):
    content = bytearray(file)
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = bytes(content[: data.draw(st.integers(len(content) - 30, len(content)))])
    outcomes = [outcome(content, denominator) for denominator in (1, 2, 4, 8)]
    assert len(set(outcomes)) == 1


def outcome(content, denominator):
    try:
        decode(content, channels=3, max_pixels=10_000, denominator=denominator)
    except ImageError as error:
        return error.reason
    return "read"


def test_image_error_can_be_copied_between_processes():
    error = pickle.loads(pickle.dumps(ImageError("a.jpg", "is truncated")))
    assert str(error) == "a.jpg: is truncated"
