"""What an image file says about itself before its pixels: kind, size, EXIF orientation.

Sources: JPEG ITU-T T.81 annex B, PNG third edition (eXIf), GIF89a, the BMP and RIFF/WebP container layouts.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO, Final, Literal, final

import numpy as np

from vernier.data import exif
from vernier.data.byte_reading import FormatError, read_exactly, unpack

Kind = Literal["JPEG", "CMYK JPEG", "PNG", "GIF", "BMP", "WebP", "TIFF", "NPY"]

_START_OF_FRAME: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH: Final = frozenset({0x01, *range(0xD0, 0xD8)})
_APP1, _END_OF_IMAGE, _START_OF_SCAN = 0xE1, 0xD9, 0xDA


@final
@dataclass(frozen=True, slots=True)
class Header:
    """An image's kind, its size in pixels as stored, and its EXIF orientation (1 to 8)."""

    kind: Kind
    height: int
    width: int
    orientation: int = 1

    @property
    def upright_size(self) -> tuple[int, int]:
        """(H, W) once the orientation is applied."""
        return (self.width, self.height) if self.orientation >= 5 else (self.height, self.width)

    def reduced(self, denominator: int) -> "Header":
        """The same at one over the size, rounded up, if it is a kind that can be decoded so."""
        if not self.reducible:
            return self
        return replace(self, height=-(-self.height // denominator), width=-(-self.width // denominator))

    @property
    def reducible(self) -> bool:
        """Whether the image can be decoded at 1/2, 1/4 and 1/8 of its size."""
        return self.kind == "JPEG"


def read_header(file: BinaryIO) -> Header:
    """The header of the image in `file`, which is seekable; the first bytes tell its kind.

    Raises:
        FormatError: empty, not an image of a kind that is read, or cut short within the header.
    """
    file.seek(0)
    start = file.read(16)
    if not start:
        raise FormatError("is empty (0 bytes)")
    header = _read_as(start, file)
    if header.height == 0 or header.width == 0:
        raise FormatError(f"is {header.height}x{header.width} pixels (height x width), so there is nothing to see")
    return header


def _read_as(start: bytes, file: BinaryIO) -> Header:
    if start.startswith(b"\xff\xd8\xff"):
        return _jpeg(file)
    if start.startswith(b"\x89PNG\r\n\x1a\n"):
        return _png(file)
    if start.startswith((b"GIF87a", b"GIF89a")):
        return _gif(file)
    if start.startswith(b"BM"):
        return _bmp(file)
    if start.startswith(b"RIFF") and start[8:12] == b"WEBP":
        return _webp(file)
    if start.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return _tiff(file)
    if start.startswith(b"\x93NUMPY"):
        return _npy(file)
    raise FormatError(_not_an_image(start))


def _not_an_image(start: bytes) -> str:
    if start[4:8] == b"ftyp":
        return "is a HEIC, AVIF or video file, which Vernier does not read: convert it to JPEG or PNG"
    text = start[:12].decode("ascii", errors="replace")
    shown = f"'{text}…'" if text.isprintable() and "\ufffd" not in text else f"the bytes {start[:8].hex(' ')}"
    return f"is not an image (JPEG, PNG, BMP, GIF, WebP, TIFF or .npy): starts with {shown}"


def _jpeg(file: BinaryIO) -> Header:
    file.seek(2)
    orientation = 1
    while True:
        marker = _next_marker(file)
        if marker in _WITHOUT_LENGTH:
            continue
        if marker in (_START_OF_SCAN, _END_OF_IMAGE):
            raise FormatError("is damaged: a JPEG file without a frame header")
        (length,) = unpack(">H", file)
        if marker in _START_OF_FRAME:
            _, height, width, components = unpack(">BHHB", file)
            return Header("CMYK JPEG" if components == 4 else "JPEG", height, width, orientation)
        body_start = file.tell()
        if marker == _APP1 and file.read(6) == b"Exif\0\0":
            orientation = exif.exif_orientation(file.read(max(0, length - 8)))
        file.seek(body_start + max(0, length - 2))


def _next_marker(file: BinaryIO) -> int:
    # Stray bytes before a marker are harmless, and a marker may be padded with any number of 0xff.
    while read_exactly(file, 1) != b"\xff":
        pass
    while (code := read_exactly(file, 1)) == b"\xff":
        pass
    return code[0]


def _png(file: BinaryIO) -> Header:
    height = width = 0
    orientation = 1
    for name, length in _png_chunks(file):
        if name == b"IHDR":
            width, height = unpack(">II", file)
        elif name == b"eXIf":
            orientation = exif.exif_orientation(file.read(length))
    return Header("PNG", height, width, orientation)


def _png_chunks(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """(name, length) of each chunk, the file standing at its content; ends where the file is cut short."""
    position = 8
    file.seek(position)
    while len(head := file.read(8)) == 8:
        length, name = struct.unpack(">I4s", head)
        yield name, length
        position += 12 + length
        file.seek(position)


def _gif(file: BinaryIO) -> Header:
    file.seek(6)
    width, height, flags, _ = unpack("<HHBH", file)
    if flags & 0x80:
        file.seek(3 << ((flags & 7) + 1), os.SEEK_CUR)
    while (block := read_exactly(file, 1)) != b",":
        if block == b";":
            raise FormatError("is damaged: a GIF file without an image")
        if block == b"!":
            _skip_gif_extension(file)
    left, top, frame_width, frame_height = unpack("<HHHH", file)
    return Header("GIF", max(height, top + frame_height), max(width, left + frame_width))


def _skip_gif_extension(file: BinaryIO) -> None:
    read_exactly(file, 1)
    while length := read_exactly(file, 1)[0]:
        file.seek(length, os.SEEK_CUR)


def _bmp(file: BinaryIO) -> Header:
    file.seek(14)
    (header_length,) = unpack("<I", file)
    width, height = unpack("<HH" if header_length == 12 else "<ii", file)
    return Header("BMP", abs(height), abs(width))


def _webp(file: BinaryIO) -> Header:
    end = file.seek(0, os.SEEK_END)
    file.seek(4)
    length, _, chunk, _ = unpack("<I4s4sI", file)
    if 8 + length > end:
        raise FormatError("is truncated")
    body = read_exactly(file, 10)
    if chunk == b"VP8 ":
        width, height = struct.unpack("<HH", body[6:])
        return Header("WebP", height & 0x3FFF, width & 0x3FFF)
    if chunk == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return Header("WebP", (bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1)
    width, height = (int.from_bytes(body[at : at + 3], "little") + 1 for at in (4, 7))
    return Header("WebP", height, width, _webp_orientation(file))


def _webp_orientation(file: BinaryIO) -> int:
    position = 12
    file.seek(position)
    while len(head := file.read(8)) == 8:
        name, length = struct.unpack("<4sI", head)
        if name == b"EXIF":
            return exif.exif_orientation(file.read(length))
        position += 8 + length + length % 2
        file.seek(position)
    return 1


def _tiff(file: BinaryIO) -> Header:
    tags = exif.first_directory(file)
    if not tags.keys() >= {exif.WIDTH, exif.HEIGHT}:
        raise FormatError("is damaged: a TIFF file without a width and a height")
    return Header("TIFF", tags[exif.HEIGHT], tags[exif.WIDTH], exif.orientation(tags))


def _npy(file: BinaryIO) -> Header:
    file.seek(0)
    try:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
    except ValueError as error:
        raise FormatError(f"is damaged, or a kind of .npy that is not read ({error})") from error
    if len(shape) not in (2, 3) or dtype.kind not in "uif":
        raise FormatError(f"holds an array {shape} of {dtype}, not numbers of shape (height, width, channels)")
    return Header("NPY", shape[0], shape[1])
