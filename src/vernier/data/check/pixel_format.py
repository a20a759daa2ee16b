"""What an image file stores beyond 8 bits of grey or colour: transparency, CMYK, 16 bits.

Sources: PNG third edition (IHDR, tRNS), the RIFF/WebP container layout, TIFF 6.0.
"""

import io
from typing import Final

from PIL.TiffImagePlugin import TiffImageFile

from vernier.data.headers import Header

ALPHA, CMYK, SIXTEEN_BITS = 1, 2, 4

WORDS: Final = {ALPHA: "transparency", CMYK: "CMYK", SIXTEEN_BITS: "16 bits a channel"}

_PNG_WITH_ALPHA: Final = (4, 6)
_TIFF_BITS, _TIFF_PHOTOMETRIC, _SEPARATED = 258, 262, 5


def odd_format(content: bytes, header: Header) -> int:
    """ALPHA, CMYK and SIXTEEN_BITS, added, for the file in `content`; 0 for 8 bits of grey or colour."""
    if header.kind == "CMYK JPEG":
        return CMYK
    if header.kind == "PNG":
        return _png(content)
    if header.kind == "WebP":
        return _webp(content)
    return _tiff(content) if header.kind == "TIFF" else 0


def _png(content: bytes) -> int:
    depth, colour = content[24], content[25]
    transparent = colour in _PNG_WITH_ALPHA or b"tRNS" in content[: content.find(b"IDAT")]
    return ALPHA * transparent + SIXTEEN_BITS * (depth == 16)


def _webp(content: bytes) -> int:
    if content[12:16] == b"VP8X":
        return ALPHA * bool(content[20] & 0x10)
    return ALPHA * (content[12:16] == b"VP8L" and bool(content[24] & 0x10))


def _tiff(content: bytes) -> int:
    # Pillow's own class: `Image.open` has a limit of pixels that warns, and this reads no pixels.
    with TiffImageFile(io.BytesIO(content)) as image:
        tags = image.tag_v2
        sixteen = 16 in tags.get(_TIFF_BITS, ())
        cmyk = bool(tags.get(_TIFF_PHOTOMETRIC) == _SEPARATED)
        return ALPHA * ("A" in image.getbands()) + CMYK * cmyk + SIXTEEN_BITS * sixteen
