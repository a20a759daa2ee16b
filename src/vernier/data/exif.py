"""Tags of TIFF files and of EXIF blocks, which are small TIFF files (TIFF 6.0, BigTIFF, Exif 2.32)."""

import io
import os
from typing import BinaryIO, Final, NamedTuple

from vernier.data.byte_reading import FormatError, unpack

WIDTH, HEIGHT, ORIENTATION = 256, 257, 274

_VALUE_LAYOUTS: Final = {3: "H", 4: "I", 16: "Q"}
_TYPE_SIZES: Final = {
    **dict.fromkeys((1, 2, 6, 7), 1),
    **dict.fromkeys((3, 8), 2),
    **dict.fromkeys((4, 9, 11, 13), 4),
    **dict.fromkeys((5, 10, 12, 16, 17, 18), 8),
}


class _Layout(NamedTuple):
    """How one file lays out its first directory: byte order, number of entries, an entry, an offset."""

    order: str
    length: str
    entry: str
    offset: str

    @property
    def inline_bytes(self) -> int:
        return 4 if self.offset == "I" else 8


_CLASSIC: Final = ("H", "HHI4s", "I")
_BIG: Final = ("Q", "HHQ8s", "Q")


def exif_orientation(content: bytes) -> int:
    """The orientation, 1 to 8, of an EXIF block; 1 where the block is damaged or says nothing."""
    try:
        return orientation(first_directory(io.BytesIO(content.removeprefix(b"Exif\0\0"))))
    except FormatError:
        return 1


def orientation(tags: dict[int, int]) -> int:
    """The orientation among `tags`; 1 where there is none that makes sense."""
    value = tags.get(ORIENTATION, 1)
    return value if 1 <= value <= 8 else 1


def first_directory(file: BinaryIO) -> dict[int, int]:
    """Tag -> value of the whole numbers in the first directory of a TIFF file.

    Raises:
        FormatError: not a TIFF file, or one that ends before its directory or the values it points to.
    """
    end = file.seek(0, os.SEEK_END)
    layout = _layout(file)
    (offset,) = unpack(layout.order + layout.offset, file)
    if offset > end:
        raise FormatError("is truncated")
    file.seek(offset)
    (count,) = unpack(layout.order + layout.length, file)
    tags = {}
    for _ in range(count):
        tag, kind, length, field = unpack(layout.order + layout.entry, file)
        _check_end(layout, kind, length, field, end)
        if kind in _VALUE_LAYOUTS and length == 1:
            (tags[tag],) = unpack(layout.order + _VALUE_LAYOUTS[kind], io.BytesIO(field))
    return tags


def _layout(file: BinaryIO) -> _Layout:
    file.seek(0)
    start = file.read(4)
    order = {b"II": "<", b"MM": ">"}.get(start[:2])
    if order is None:
        raise FormatError("is damaged: not a TIFF block")
    if start[2:] in (b"*\0", b"\0*"):
        return _Layout(order, *_CLASSIC)
    file.seek(8)
    return _Layout(order, *_BIG)


def _check_end(layout: _Layout, kind: int, length: int, field: bytes, end: int) -> None:
    size = _TYPE_SIZES.get(kind, 0) * length
    if size <= layout.inline_bytes:
        return
    (offset,) = unpack(layout.order + layout.offset, io.BytesIO(field))
    if offset + size > end:
        raise FormatError("is truncated")
