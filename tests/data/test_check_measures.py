import cv2
import numpy as np
import pytest
import scipy.fft

from data.check_sets import crop, encoded
from vernier.data.check.measures import measure, perceptual_hash
from vernier.data.check.pixel_format import ALPHA, CMYK, DEEP, odd_format
from vernier.data.decode import decode
from vernier.data.headers import read_header


def distance(first, second):
    return (first ^ second).bit_count()


def test_the_hash_is_the_signs_of_low_frequencies(photos):
    grey = cv2.resize(cv2.cvtColor(photos["china"], cv2.COLOR_RGB2GRAY), (32, 32), interpolation=cv2.INTER_AREA)
    low = scipy.fft.dctn(grey.astype(np.float64), norm="ortho")[:8, :8].ravel()
    bits = low > np.median(low[1:])
    assert perceptual_hash(grey) == int(np.packbits(bits).view(np.uint64)[0])


@pytest.mark.parametrize("name", ["china", "flower"])
def test_hashes_stay_near_after_encoding_and_resizing_and_tell_photos_apart(photos, name):
    photo = photos[name]
    base = measure(photo).hash
    half = cv2.resize(photo, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    for other in (half, cv2.resize(photo, None, fx=1.7, fy=1.7)):
        data = encoded(other, quality=40)
        assert distance(base, measure(decode(data, channels=3, max_pixels=10**7)).hash) <= 4
    assert distance(measure(photos["china"]).hash, measure(photos["flower"]).hash) > 16


def test_numbers_of_plain_images():
    grey = np.full((40, 60, 3), 100, dtype=np.uint8)
    plain = measure(grey)
    assert (plain.spread, plain.chroma, plain.sharpness) == (0, 0, 0)
    assert (plain.dark_end, plain.bright_end) == (100, 100)
    red = measure(np.full((40, 60, 3), (200, 50, 80), dtype=np.uint8))
    assert red.spread == 0
    assert red.chroma == 150
    assert measure(grey[:, :, :1]).chroma == 0
    assert measure(np.full((5, 1, 7), 9, dtype=np.uint8)).dark_end == 9


def test_ends_are_percentiles():
    image = np.repeat(np.arange(100, dtype=np.uint8)[None, :, None], 20, axis=0)
    measures = measure(image)
    assert (measures.dark_end, measures.bright_end) == (4, 94)


def test_blur_lowers_the_sharpness_whatever_the_size(photos):
    for factor in (1, 2):
        photo = cv2.resize(photos["flower"], None, fx=factor, fy=factor)
        blurred = cv2.GaussianBlur(photo, (0, 0), 12 * factor)
        assert measure(blurred).sharpness * 20 < measure(photo).sharpness


def formats(photo):
    from PIL import Image

    image = Image.fromarray(crop(photo, 3))
    alpha = image.copy()
    alpha.putalpha(128)
    palette = image.convert("P")
    sixteen = np.array(image.convert("L")).astype(np.uint16) * 257
    return [
        (image, "PNG", {}, 0),
        (alpha, "PNG", {}, ALPHA),
        (palette, "PNG", {"transparency": 3}, ALPHA),
        (Image.fromarray(sixteen), "PNG", {}, DEEP),
        (Image.fromarray(sixteen), "TIFF", {}, DEEP),
        (image, "TIFF", {}, 0),
        (alpha, "TIFF", {}, ALPHA),
        (image.convert("CMYK"), "TIFF", {}, CMYK),
        (image, "JPEG", {}, 0),
        (image.convert("CMYK"), "JPEG", {}, CMYK),
        (image, "WebP", {}, 0),
        (alpha, "WebP", {}, ALPHA),
        (alpha, "WebP", {"lossless": True}, ALPHA),
        (image, "WebP", {"lossless": True}, 0),
        (image, "BMP", {}, 0),
        (image, "GIF", {}, 0),
    ]


@pytest.mark.parametrize("case", range(16))
def test_what_a_file_stores(photos, case):
    import io

    image, kind, options, expected = formats(photos["china"])[case]
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    assert odd_format(buffer.getvalue(), read_header(buffer)) == expected
