"""Decoded images in one memory-mapped file, shared by runs and processes.

<name>/pixels.u8    every image's pixels, one after the other
<name>/index.npy    int64 (N, 3): offset in bytes, height, width
<name>/meta.json    count, channels, bytes, content hash, bad images
<name>.lock         held while building
<name>.building/    becomes <name>/ by one rename when everything in it is on the device
"""

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final, final

import numpy as np

from vernier.atomic import remedy, sync_directory
from vernier.data.images import ImageError, Images
from vernier.data.read_all import Reader
from vernier.data.store_base import Reading, Store, check_bad
from vernier.errors import DataError

_FORMAT: Final = 1
_PIXELS, _INDEX, _META = "pixels.u8", "index.npy", "meta.json"
_SPARE: Final = 1.1


class StoreWriteError(DataError):
    """A disk store can't be written: no room, no permission, a failing disk."""


@final
class DiskStore(Store):
    """Views into a memory-mapped file of pixels, opened read-only."""

    def __init__(self, directory: Path, channels: int, index: np.ndarray, reading: Reading) -> None:
        super().__init__(reading, f"disk: decoded images in {directory}")
        # A plain array: slicing numpy's own memmap class costs more than a small image's copy.
        self._flat = np.asarray(np.memmap(directory / _PIXELS, np.uint8, mode="r"))
        self._index = index
        self._channels = channels

    def __len__(self) -> int:
        return len(self._index)

    def _pixels(self, position: int) -> np.ndarray:
        offset, height, width = self._index[position].tolist()
        end = offset + height * width * self._channels
        return self._flat[offset:end].reshape(height, width, self._channels)


def load_disk_store(directory: Path, reader: Reader) -> DiskStore | None:
    """The finished store of the reader's images in `directory`; None where there is none, or a damaged one.

    Raises:
        DataError: it has bad images that are not to be skipped.
    """
    count = len(reader.images)
    try:
        meta = json.loads((directory / _META).read_text())
        index = np.load(directory / _INDEX, allow_pickle=False)
        if not _fits(meta, index, (directory / _PIXELS).stat().st_size, count):
            return None
        store = DiskStore(directory, meta["channels"], index, Reading.from_json(meta))
    except (OSError, EOFError, ValueError, TypeError, KeyError):
        # Whatever a damaged file leads to, the store is built again.
        return None
    check_bad(store.bad, count, reader.on_bad_image)
    return store


def build_disk_store(reader: Reader, directory: Path, sizes: np.ndarray) -> DiskStore:
    """Decode every image into a new store in `directory`, or wait for the process that does and use its store.

    `sizes` int64 (N, 2) are the heights and widths by the headers.

    Raises:
        DataError: bad images that are not to be skipped; nothing is kept then.
        StoreWriteError: no room, or the system refuses to write; what was written is removed.
    """
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        with _locked(directory.with_suffix(".lock")):
            return load_disk_store(directory, reader) or _build(reader, directory, sizes)
    except OSError as error:
        raise StoreWriteError(
            f"{directory}: not written: {error.strerror or error}. {remedy(error)} "
            "data.store_dir chooses the directory, data.store=off goes without."
        ) from error


def decoded_bytes(sizes: np.ndarray, channels: int) -> int:
    """Bytes of images of these heights and widths, int64 (N, 2)."""
    return int(sizes.prod(axis=1).sum()) * channels


def megabytes(count: float) -> str:
    """Bytes for people: `12 MB`, `3.4 GB`."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def _fits(meta: dict[str, Any], index: np.ndarray, size: int, count: int) -> bool:
    if meta["format"] != _FORMAT or index.shape != (count, 3) or index.dtype != np.int64 or size != meta["bytes"]:
        return False
    offsets, heights, widths = index.T.astype(np.float64)  # where nothing overflows
    return bool((index >= 0).all() and (offsets + heights * widths * meta["channels"] <= size).all())


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock `path` alone; the system lets go of it when the process ends, however it does."""
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _check_room(directory: Path, needed: int) -> None:
    free = shutil.disk_usage(directory).free
    if needed * _SPARE > free:
        raise StoreWriteError(
            f"{directory}: the decoded images need {megabytes(needed)}, {megabytes(free)} are free. Free some "
            "space, choose another disk with data.store_dir=DIR, or go without with data.store=off."
        )


def _build(reader: Reader, directory: Path, sizes: np.ndarray) -> DiskStore:
    _check_room(directory.parent, decoded_bytes(sizes, reader.images.channels))
    building = directory.with_suffix(".building")
    _remove(building)
    building.mkdir()
    try:
        _fill(building, reader, sizes)
        _remove(directory)
        building.rename(directory)
    except BaseException:
        _remove(building)
        raise
    sync_directory(directory.parent)
    store = load_disk_store(directory, reader)
    assert store is not None, "a store that was just built does not load"
    return store


def _fill(building: Path, reader: Reader, sizes: np.ndarray) -> None:
    channels = reader.images.channels
    lengths = sizes.prod(axis=1) * channels
    index = np.column_stack([np.cumsum(lengths) - lengths, sizes])
    with (building / _PIXELS).open("xb") as file:
        file.truncate(int(lengths.sum()))
        reading = reader.read_all(partial(_keep, file.fileno(), index, reader.images))
        os.fsync(file.fileno())
    meta = {"format": _FORMAT, "channels": channels, "bytes": int(lengths.sum()), **reading.to_json()}
    _write_durably(building / _INDEX, partial(np.save, arr=index))
    _write_durably(building / _META, lambda file: file.write(json.dumps(meta).encode()))
    sync_directory(building)


def _keep(descriptor: int, index: np.ndarray, images: Images, position: int, pixels: np.ndarray) -> None:
    offset, height, width = index[position].tolist()
    if pixels.shape[:2] != (height, width):
        raise ImageError(images.key(position), "changed while it was read")
    rest = pixels.reshape(-1).data
    while rest:
        written = os.pwrite(descriptor, rest, offset)
        rest, offset = rest[written:], offset + written


def _write_durably(path: Path, write: Callable[[BinaryIO], object]) -> None:
    with path.open("xb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())


def _remove(directory: Path) -> None:
    if directory.exists():
        shutil.rmtree(directory)
