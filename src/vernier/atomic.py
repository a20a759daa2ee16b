"""Durable file writing: a file is there in full or as it was before, also after a kill or a power cut."""

import errno
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from vernier.errors import RunError

_FREE_SPACE = "Free some space, or choose a directory on another disk."
_RAISE_LIMIT = "Raise the limit (`ulimit -f`), or choose a directory on another disk."
_CHECK_PATH = "Check the path and its permissions, or choose another directory."
_REMEDIES = {errno.ENOSPC: _FREE_SPACE, errno.EDQUOT: _FREE_SPACE, errno.EFBIG: _RAISE_LIMIT}


def write_atomically(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """Let `write` fill a temporary file beside `path`, flush it to the device, put it in place of `path`.

    The temporary file, `.NAME.<random>.tmp`, is gone afterwards whatever happens, short of a kill. The directory
    of `path` must exist. Permissions are those of any new file (umask).

    Raises:
        RunError: the system refuses (disk full, quota, file-size limit, permissions); `path` is as it was.
    """
    try:
        _write_and_replace(path, write)
    except OSError as error:
        raise RunError(f"{path}: not written: {error.strerror or error}. {remedy(error)}") from error


def write_text_atomically(path: Path, text: str) -> None:
    """`write_atomically` with UTF-8 text, line ends as they are."""
    content = text.encode()

    def write(file: BinaryIO) -> None:
        file.write(content)

    write_atomically(path, write)


def sync_directory(directory: Path) -> None:
    """Make the names in `directory` durable (fsync)."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remedy(error: OSError) -> str:
    """What a person can do about a write that failed: a sentence."""
    return _REMEDIES.get(error.errno or 0, _CHECK_PATH)


def _write_and_replace(path: Path, write: Callable[[BinaryIO], None]) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)
