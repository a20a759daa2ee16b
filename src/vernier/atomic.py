"""Durable file writing: a file is there in full or as it was before, also after a kill or a power cut."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from vernier.errors import RunError

_NEW_FILE_MODE = 0o666


def write_atomically(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """Let `write` fill a temporary file beside `path`, flush it to the device, then put it in place of `path`.

    The temporary file is gone afterwards whatever happens, short of a kill; its name starts with a dot and ends
    in `.tmp`. The directory of `path` must exist.

    Raises:
        RunError: the system refuses (disk full, quota, file-size limit, no permission); `path` is as it was.
    """
    try:
        _write_and_replace(path, write)
    except OSError as error:
        raise RunError(f"{path}: not written: {error.strerror or error}. {remedy(error)}") from error


def write_text_atomically(path: Path, text: str) -> None:
    """`write_atomically` with UTF-8 text, line ends as they are."""
    write_atomically(path, lambda file: _write_all(file, text.encode()))


def sync_directory(directory: Path) -> None:
    """Make the names in `directory` durable (fsync)."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remedy(error: OSError) -> str:
    """What a person can do about a failed write: a sentence."""
    return _REMEDIES.get(error.errno or 0, "Check the path and its permissions, or choose another directory.")


_FREE_SPACE = "Free some space, or choose a directory on another disk."
_REMEDIES = {
    28: _FREE_SPACE,
}


def _write_and_replace(path: Path, write: Callable[[BinaryIO], None]) -> None:
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def _write_all(file: BinaryIO, content: bytes) -> None:
    file.write(content)
