"""What an image file stores beyond 8 bits of grey or colour: transparency, CMYK, more bits.

Sources: PNG third edition (IHDR, tRNS), the RIFF/WebP container layout, TIFF 6.0.
"""

import io
from typing import Any, Final

import numpy as np

from vernier.data.headers import Header

ALPHA, CMYK, DEEP = 1, 2, 4

WORDS: Final = {ALPHA: "transparency", CMYK: "CMYK", DEEP: "more than 8 bits a channel"}

_PNG_WITH_ALPHA: Final = (4, 6)
_TIFF_ALPHA: Final = (1, 2)
"""Extra samples that are transparency, associated or not."""


def odd_format(content: bytes, header: Header) -> int:
    """ALPHA, CMYK and DEEP, added, for the file in `content`; 0 for 8 bits of grey or colour."""
    if header.kind == "CMYK JPEG":
        return CMYK
    if header.kind == "PNG":
        return _png(content)
    if header.kind == "WebP":
        return _webp(content)
    if header.kind == "NPY":
        return _npy(content)
    return _tiff(content) if header.kind == "TIFF" else 0


def _png(content: bytes) -> int:
    depth, colour = content[24], content[25]
    transparent = colour in _PNG_WITH_ALPHA or b"tRNS" in content[: content.find(b"IDAT")]
    return ALPHA * transparent + DEEP * (depth == 16)


def _webp(content: bytes) -> int:
    if content[12:16] == b"VP8X":
        return ALPHA * bool(content[20] & 0x10)
    return ALPHA * (content[12:16] == b"VP8L" and bool(content[24] & 0x10))


def _tiff(content: bytes) -> int:
    import tifffile

    with tifffile.TiffFile(io.BytesIO(content)) as file:
        page: Any = file.pages[0]
        alpha = any(sample in _TIFF_ALPHA for sample in page.extrasamples)
        cmyk = page.photometric == tifffile.PHOTOMETRIC.SEPARATED
        deep = page.bitspersample > 8
        return ALPHA * alpha + CMYK * int(cmyk) + DEEP * int(deep)


def _npy(content: bytes) -> int:
    values = np.load(io.BytesIO(content), allow_pickle=False)
    return DEEP * int(values.dtype.itemsize > 1)
