"""Letting the process keep memory that it has freed.

A training step frees and asks for the same few hundred megabytes again. glibc hands large blocks back to the kernel at
once, which then clears every page anew: on a CPU that can take as long as the arithmetic. With `keep`, large blocks
come from the heap and the heap never shrinks.
"""

import ctypes
import platform
from typing import Final

_TRIM_THRESHOLD: Final = -1
_TOP_PAD: Final = -2
_MMAP_MAX: Final = -4
"""Parameters of mallopt(3)."""

_NEVER: Final = 2**31 - 1
_PAD: Final = 256 * 2**20

_kept = False


def can_keep() -> bool:
    """Whether this process's C library has the settings: glibc has."""
    return platform.libc_ver()[0] == "glibc"


def is_kept() -> bool:
    """Whether the process keeps freed memory already. There is no way back: glibc's own thresholds move by use."""
    return _kept


def keep_freed_memory() -> None:
    """Keep freed memory from now on, for the rest of the process; where the C library can't, nothing changes."""
    global _kept
    if _kept or not can_keep():
        return
    library = ctypes.CDLL(None)
    settings = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, _NEVER), (_TOP_PAD, _PAD))
    _kept = all(library.mallopt(parameter, value) == 1 for parameter, value in settings)
