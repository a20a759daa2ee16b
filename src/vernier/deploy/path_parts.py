"""Paths in the parts that are worked on together."""

import itertools
import os
import select
from collections.abc import Iterable, Iterator

_BYTES = 1 << 16

Part = list[str]
"""Some paths. One without any means that the next may be long in coming, so that what is there is answered."""


def parts_of(paths: Iterable[str], size: int) -> Iterator[Part]:
    """Parts of `size` paths; the last may be smaller."""
    remaining = iter(paths)
    while part := list(itertools.islice(remaining, size)):
        yield part


def parts_of_lines(descriptor: int, size: int) -> Iterator[Part]:
    """Paths, a line each, as they come from a pipe, a terminal or a file.

    Lines that are there go together, up to `size`; before it waits for more, it gives an empty part.

    Args:
        descriptor: Of an open file; read without buffering.
        size: Paths in a part at most.
    """
    rest = b""
    while content := _read(descriptor):
        *lines, rest = (rest + content).split(b"\n")
        yield from parts_of(_paths(lines), size)
        if not select.select([descriptor], [], [], 0)[0]:
            yield []
    yield from parts_of(_paths([rest]), size)


def _read(descriptor: int) -> bytes:
    return os.read(descriptor, _BYTES)


def _paths(lines: Iterable[bytes]) -> Iterator[str]:
    return (os.fsdecode(path) for line in lines if (path := line.rstrip(b"\r")))
