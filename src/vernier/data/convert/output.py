"""Where a set is written: beside its place first, so that it appears whole or not at all."""

import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from vernier.atomic import sync_directory
from vernier.errors import DataError

_PARTIAL = ".partial-"


@contextmanager
def staging_directory(out: Path) -> Iterator[Path]:
    """An empty directory beside `out`; it is gone afterwards, unless it was renamed.

    What killed processes left there is removed.

    Raises:
        OSError: it can't be made.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    for left in out.parent.glob(f"{_glob_literal(out.name)}{_PARTIAL}*"):
        _remove_abandoned(left)
    directory = out.with_name(f"{out.name}{_PARTIAL}{os.getpid()}")
    directory.mkdir()
    try:
        with _locked(directory):
            yield directory
    finally:
        if directory.exists():
            shutil.rmtree(directory)


def put_in_place(staged: Path, out: Path) -> None:
    """Rename a finished directory.

    Raises:
        DataError: something came into being at `out` meanwhile.
        OSError: the system refuses.
    """
    sync_directory(staged)
    try:
        staged.rename(out)
    except OSError:
        if not out.exists():
            raise
        raise DataError(f"{out}: came into being while it was written; nothing in it was changed. Try again") from None
    sync_directory(out.parent)


def add_files(staged: Path, out: Path, files: Sequence[str]) -> None:
    """Move finished files of a directory into another one; all or none of them.

    Raises:
        DataError: one of them is there already.
        OSError: the system refuses.
    """
    if there := [file for file in files if (out / file).exists()]:
        raise DataError(
            f"{out / there[0]}: is there, but no split of the set lists it, and nothing is overwritten; remove it"
        )
    try:
        for file in files:
            (staged / file).rename(out / file)
        sync_directory(out)
    except BaseException:
        remove_files(out, files)
        raise


def remove_files(out: Path, files: Sequence[str]) -> None:
    """Take back what `add_files` did."""
    for file in files:
        (out / file).unlink(missing_ok=True)


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Show other processes that this one is at work; the system lets go of the lock when the process ends."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _remove_abandoned(directory: Path) -> None:
    try:
        with _locked(directory):
            shutil.rmtree(directory)
    except (BlockingIOError, NotADirectoryError, FileNotFoundError):
        # Somebody is at work there, or it is none of ours.
        return


def _glob_literal(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)
