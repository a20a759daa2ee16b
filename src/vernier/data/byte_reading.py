"""Reading fixed layouts from a binary file that may end too soon."""

import struct
from typing import Any, BinaryIO


class FormatError(Exception):
    """Why bytes can't be read as an image: words that follow the file's name and a colon."""


def read_exactly(file: BinaryIO, count: int) -> bytes:
    """The next `count` bytes.

    Raises:
        FormatError: the file ends before.
    """
    content = file.read(count)
    if len(content) < count:
        raise FormatError("is truncated")
    return content


def unpack(layout: str, file: BinaryIO) -> tuple[Any, ...]:
    """The next values in a layout of the `struct` module.

    Raises:
        FormatError: the file ends before.
    """
    return struct.unpack(layout, read_exactly(file, struct.calcsize(layout)))
