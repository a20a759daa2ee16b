"""Bytes of an image file to upright uint8 pixels.

The first bytes decide what a file is, never its name. JPEG goes through simplejpeg. CMYK JPEG, and JPEG that
simplejpeg objects to without saying that pixels are missing, go through Pillow, as do all other kinds. Both let
other threads run while they decode.

- Colour becomes grey by ITU-R BT.601 (for JPEG that is the stored luma channel), grey becomes colour by
  repetition.
- Transparent pixels are laid over white, as a viewer or a web page shows them; the colours hidden beneath full
  transparency are arbitrary and never reach a model.
- 16 bits a channel become 8 by the full range (0..65535 -> 0..255), never by clipping, unless a range is given.
- With four channels transparency is kept instead; with other numbers files have to have just so many.
- The EXIF orientation is applied, whatever the kind of file.
- Of animations and multi-page files, the first frame counts.
- JPEG can be decoded at 1/2, 1/4 or 1/8 of its size: each block of coefficients becomes fewer pixels (libjpeg's scaled
  inverse transform). That is within 43 to 52 dB of the average over each pixel's area.
"""

import io
import math
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, Final

import cv2
import numpy as np
import PIL
import simplejpeg
from PIL import Image, ImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from vernier.data.byte_reading import FormatError
from vernier.data.headers import Header, Kind, read_header
from vernier.data.many_channels import ValueRange, decode_channels, has_alpha, to_bytes
from vernier.errors import DataError

DECODER_VERSION: Final = f"2 simplejpeg={simplejpeg.__version__} pillow={PIL.__version__}"
"""Changes whenever pixels may: the version of this module and of the libraries that decode."""

# Pillow's own classes rather than Image.open: no other formats, and no process-wide pixel limit that warns.
_PILLOW_FILES: Final[dict[Kind, Callable[[BinaryIO], ImageFile.ImageFile]]] = {
    "JPEG": JpegImageFile,
    "CMYK JPEG": JpegImageFile,
    "PNG": PngImageFile,
    "GIF": GifImageFile,
    "BMP": BmpImageFile,
    "WebP": WebPImageFile,
    "TIFF": TiffImageFile,
}
_PILLOW_ERRORS: Final = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    OverflowError,
    struct.error,
    Image.DecompressionBombError,
    UserWarning,  # about odd metadata, raised where warnings are errors
)
_PILLOW_LIMIT: Final = Image.MAX_IMAGE_PIXELS or math.inf
_LARGE_IMAGE: Final = threading.Lock()
_MODES: Final = {1: "L", 3: "RGB", 4: "RGBA"}
_JPEG_COLOURS: Final = {1: "GRAY", 3: "RGB", 4: "RGBA"}
_HARMLESS_JPEG_DAMAGE: Final = ("extraneous bytes", "bad ICC marker")


class ImageError(DataError):
    """One image that can't be read."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


def decode(
    data: bytes,
    *,
    channels: int,
    max_pixels: int,
    path: str = "image",
    denominator: int = 1,
    value_range: ValueRange | None = None,
) -> np.ndarray:
    """Pixels of the image file whose content is `data`: uint8 (H, W, channels), upright, C-contiguous.

    `channels` is 1 (grey), 3 (RGB) or 4 (and transparency, 255 where there is none) for all kinds, any number for TIFF
    and .npy files that have so many; `path` only names the image in errors. A JPEG comes at one over `denominator` (1,
    2, 4 or 8) of its size, rounded up; CMYK and all other kinds come in full. `value_range` is for images of more than
    8 bits.

    Raises:
        ImageError: not an image, damaged, cut short, or more than `max_pixels` (found out before decoding).
    """
    try:
        header = _checked_header(io.BytesIO(data), max_pixels)
        upright = _upright_pixels(data, header, channels, denominator, value_range)
        expected = header.reduced(denominator).upright_size
        if upright.shape[:2] != expected:
            raise FormatError(f"is damaged: the header says {expected}, the pixels {upright.shape[:2]}")
    except FormatError as error:
        raise ImageError(path, str(error)) from error
    return upright


def image_header(file: BinaryIO, *, max_pixels: int, path: str = "image") -> Header:
    """The header of an image that `decode` would accept as far as one can tell from it.

    Raises:
        ImageError: not an image, cut short within the header, or more than `max_pixels`.
    """
    try:
        return _checked_header(file, max_pixels)
    except FormatError as error:
        raise ImageError(path, str(error)) from error


def turn_upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """(H, W, C) as stored -> upright, by the EXIF orientation 1 to 8 (Exif 2.32, tag 274); 5 to 8 swap H, W."""
    if orientation >= 5:
        pixels = cv2.transpose(pixels).reshape(pixels.shape[1], pixels.shape[0], -1)
    mirror = _MIRRORS[orientation]
    return pixels if mirror is None else cv2.flip(pixels, mirror).reshape(pixels.shape)


# What is left to do after the transposition of 5 to 8, as cv2.flip counts: 1 left-right, 0 upside-down, -1 both.
_MIRRORS: Final = {1: None, 2: 1, 3: -1, 4: 0, 5: None, 6: 1, 7: -1, 8: 0}


def _checked_header(file: BinaryIO, max_pixels: int) -> Header:
    header = read_header(file)
    if header.height * header.width > max_pixels:
        raise FormatError(
            f"is {header.height}x{header.width} pixels (height x width), more than data.max_pixels={max_pixels}:"
            " make it smaller, or raise data.max_pixels if you trust the file"
        )
    return header


def _upright_pixels(
    data: bytes, header: Header, channels: int, denominator: int, value_range: ValueRange | None
) -> np.ndarray:
    if _has_any_channels(data, header, channels):
        return turn_upright(decode_channels(data, header.kind, channels, value_range), header.orientation)
    if channels not in _MODES:
        raise FormatError(f"is a {header.kind} file, which can't have {channels} channels (data.channels)")
    if header.reducible:
        return turn_upright(_decode_jpeg(data, channels, header, denominator), header.orientation)
    with _pillow_unlimited(header.height * header.width):
        pixels = _decode_other(data, header.kind, channels, value_range=value_range)
    # Pillow turns TIFF upright by itself.
    return pixels if header.kind == "TIFF" else turn_upright(pixels, header.orientation)


def _has_any_channels(data: bytes, header: Header, channels: int) -> bool:
    """Whether an image's channels are taken as they are, and not made of grey, red, green, blue, transparency."""
    if header.kind == "TIFF":
        return channels not in _MODES or (channels == 4 and not has_alpha(data))
    return header.kind == "NPY"


@contextmanager
def _pillow_unlimited(pixels: int) -> Iterator[None]:
    """Suspend Pillow's limit, which is one for the whole process, while an image above it is decoded.

    Its warnings and errors come from within single formats; `data.max_pixels` was checked before.
    """
    if pixels <= _PILLOW_LIMIT:
        yield
        return
    with _LARGE_IMAGE:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _decode_jpeg(data: bytes, channels: int, header: Header, denominator: int) -> np.ndarray:
    reduced = header.reduced(denominator)
    try:
        pixels: np.ndarray = simplejpeg.decode_jpeg(
            data,
            colorspace=_JPEG_COLOURS[channels],
            min_height=reduced.height,
            min_width=reduced.width,
            min_factor=denominator,
            strict=True,
        )
    except ValueError as error:
        _refuse_missing_pixels(str(error))
        # simplejpeg tells its first objection only; Pillow accepts a harmless one but not a file cut short.
        return _decode_other(data, "JPEG", channels, denominator)
    return pixels


def _refuse_missing_pixels(objection: str) -> None:
    if "Premature end of JPEG file" in objection:
        raise FormatError("is truncated")
    if "Corrupt JPEG data" in objection and not any(words in objection for words in _HARMLESS_JPEG_DAMAGE):
        raise FormatError(f"is damaged ({objection.strip()})")


def _decode_other(
    data: bytes, kind: Kind, channels: int, denominator: int = 1, value_range: ValueRange | None = None
) -> np.ndarray:
    try:
        with _PILLOW_FILES[kind](io.BytesIO(data)) as image:
            if kind == "JPEG" and channels == 1:
                image.draft("L", image.size)  # the stored luma, as simplejpeg gives it
            image.load()
            return _pixels(image if denominator == 1 else image.reduce(denominator), channels, value_range)
    except _PILLOW_ERRORS as error:
        if "truncated" in str(error).lower():
            raise FormatError("is truncated") from error
        raise FormatError(f"is damaged, or a kind of {kind} that is not read ({error})") from error


def _pixels(image: Image.Image, channels: int, value_range: ValueRange | None) -> np.ndarray:
    if image.mode.startswith("I;16"):
        return _repeat(to_bytes(np.asarray(image), value_range), channels)
    if image.mode in ("I", "F"):
        if value_range is None:
            raise FormatError(
                "has 32 bits a channel, whose range of values is not known: say which values are black and white with "
                "data.value_range=[LOW,HIGH]"
            )
        return _repeat(to_bytes(np.asarray(image), value_range), channels)
    if image.has_transparency_data and channels != 4:
        image = _over_white(image)
    pixels = np.array(image.convert(_MODES[channels]))
    return pixels.reshape(image.height, image.width, channels)


def _repeat(grey: np.ndarray, channels: int) -> np.ndarray:
    """Grey (H, W) in each channel; a fourth one is opaque."""
    repeated = np.repeat(grey[:, :, None], channels, axis=2)
    repeated[:, :, 3:] = 255
    return repeated


def _over_white(image: Image.Image) -> Image.Image:
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
