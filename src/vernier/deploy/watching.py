"""Images that come into directories, found by looking again and again."""

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from vernier.deploy.find_images import walk
from vernier.deploy.path_parts import Part, parts_of


class _Stamp(NamedTuple):
    size: int
    changed: int


def arriving(directories: Sequence[Path], interval: float, size: int) -> Iterator[Part]:
    """Images below directories as they come, those that are there first; never ends.

    A file is given when size and time of change are the same as one look before, and again when it is written again:
    one that was given half-written gets its second chance. Empty files are waited for. What vanishes is forgotten.

    Args:
        directories: Need not stay; what can't be listed is looked for the next time.
        interval: Seconds between two looks.
        size: Images in a part at most.
    """
    before: dict[str, _Stamp] = {}
    given: dict[str, _Stamp] = {}
    while True:
        now = dict(_stamps(directories))
        ready = [path for path, stamp in now.items() if before.get(path) == stamp != given.get(path)]
        given = {path: stamp for path, stamp in given.items() if path in now} | {path: now[path] for path in ready}
        before = now
        yield from parts_of(ready, size)
        yield []
        time.sleep(interval)


def _stamps(directories: Sequence[Path]) -> Iterator[tuple[str, _Stamp]]:
    for directory in directories:
        for path in walk(directory, lambda _: None):
            stamp = _stamp(path)
            if stamp is not None and stamp.size > 0:
                yield path, stamp


def _stamp(path: str) -> _Stamp | None:
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return _Stamp(status.st_size, status.st_mtime_ns)
