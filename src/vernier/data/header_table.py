"""Sizes of all image files of a set, from their headers, remembered from run to run."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, final

import numpy as np

from vernier.atomic import write_atomically
from vernier.data.images import EncodedImages
from vernier.data.read_all import read_rows
from vernier.errors import RunError


@final
@dataclass(frozen=True)
class HeaderTable:
    """What the headers of N files say.

    Attributes:
        sizes: Heights and widths of the upright images in full, int64 (N, 2); 0 where a header can't be read.
        reducible: bool (N,), whether an image can be decoded at a reduced scale.
    """

    sizes: np.ndarray
    reducible: np.ndarray

    def reduced_sizes(self, denominators: np.ndarray) -> np.ndarray:
        """Heights and widths at one over `denominators`, int64 (N,), which are 1 for what can't be reduced."""
        sizes: np.ndarray = -(-self.sizes // denominators[:, None])
        return sizes


def read_header_table(files: EncodedImages, directory: Path, threads: int) -> HeaderTable:
    """The headers of `files`, read in `threads` threads, or as a file in `directory` remembers them."""
    record = directory / f"{files.fingerprint()[:32]}.headers.npy"
    rows = _remembered(record, len(files))
    if rows is None:
        rows = read_rows(files.header_row, len(files), 3, threads)
        _remember(record, rows)
    return HeaderTable(rows[:, :2], rows[:, 2] > 0)


def _remembered(record: Path, count: int) -> np.ndarray | None:
    try:
        rows: np.ndarray = np.load(record, allow_pickle=False)
    except (OSError, EOFError, ValueError):
        # Whatever is wrong with the record, the headers are read again.
        return None
    fits = rows.shape == (count, 3) and rows.dtype == np.int64 and (rows >= 0).all()
    return rows if fits else None


def _remember(record: Path, rows: np.ndarray) -> None:
    def write(file: BinaryIO) -> None:
        np.save(file, rows)

    # Without a record the next run reads the headers again: no reason to stop this one.
    with suppress(OSError, RunError):
        record.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(record, write)
