"""What an image file stores beyond 8 bits of grey or colour, where Pillow does not help."""

import io

import numpy as np
import pytest
import tifffile

from vernier.data.check.pixel_format import ALPHA, DEEP, odd_format
from vernier.data.headers import read_header


def _tiff(dtype, channels, **options):
    file = io.BytesIO()
    tifffile.imwrite(
        file, np.zeros((4, 5, channels), dtype), photometric="minisblack", planarconfig="contig", **options
    )
    return file.getvalue()


def _npy(dtype):
    file = io.BytesIO()
    np.save(file, np.zeros((4, 5, 6), dtype))
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "odd"),
    [
        (_tiff(np.uint8, 6), 0),
        (_tiff(np.uint16, 6), DEEP),
        (_tiff(np.uint8, 2, extrasamples=["unassalpha"]), ALPHA),
        (_npy(np.uint8), 0),
        (_npy(np.uint16), DEEP),
        (_npy(np.float32), DEEP),
    ],
)
def test_files_of_many_channels(content, odd):
    assert odd_format(content, read_header(io.BytesIO(content))) == odd
