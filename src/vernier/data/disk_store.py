"""Decoded images in one memory-mapped file, shared by runs and processes.

<name>/pixels.u8    every image's pixels, one after the other
<name>/index.npy    int64 (N, 3): offset in bytes, height, width
<name>/meta.json    count, channels, bytes, content hash, bad images
<name>.lock         held while building
<name>.building/    becomes <name>/ by one rename when everything in it is on the device
"""

import fcntl
import json
import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final, final

import numpy as np

from vernier.atomic import remedy, sync_directory
from vernier.data.images import Images
from vernier.data.packed import PackedImages, packed_index
from vernier.data.read_all import Reader
from vernier.data.store_base import Reading, Store, check_bad, check_size
from vernier.errors import DataError

_FORMAT: Final = 2
_PIXELS, _INDEX, _META = "pixels.u8", "index.npy", "meta.json"
_LOCK, _BUILDING = ".lock", ".building"
_SPARE: Final = 1.1
_WORTH_SAYING: Final = 50_000_000
_logger = logging.getLogger(__name__)


class StoreWriteError(DataError):
    """A disk store can't be written: no room, no permission, a failing disk."""


@final
class DiskStore(Store):
    """Views into a memory-mapped file of pixels, opened read-only."""

    def __init__(self, directory: Path, channels: int, index: np.ndarray, reading: Reading) -> None:
        super().__init__(reading, f"disk: decoded images in {directory}")
        # A plain array: slicing numpy's own memmap class costs more than a small image's copy.
        flat = np.asarray(np.memmap(directory / _PIXELS, np.uint8, mode="r"))
        self._images = PackedImages(flat, index, channels)

    @property
    def array(self) -> np.ndarray | None:
        """See `Store.array`."""
        return None if self.bad else self._images.whole

    def __len__(self) -> int:
        return len(self._images)

    def _pixels(self, position: int) -> np.ndarray:
        return self._images[position]


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
        with _locked(directory.with_suffix(_LOCK)):
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
    sizes, channels = index[:, 1:], meta["channels"]
    pixels = sizes.astype(np.float64).prod(axis=1)  # where nothing overflows
    if (sizes < 0).any() or pixels.sum() * channels != size:
        return False
    return np.array_equal(index, packed_index(sizes, channels))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock `path` alone; the system lets go of it when the process ends, however it does."""
    with path.open("ab") as file:
        if not _try_lock(file):
            _logger.info("waiting for another process that decodes the same images into %s", path.with_suffix(""))
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _try_lock(file: BinaryIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _clear_abandoned(stores: Path) -> None:
    """Remove what killed processes were building."""
    for building in stores.glob(f"*{_BUILDING}"):
        with building.with_suffix(_LOCK).open("ab") as file:
            if _try_lock(file):
                _remove(building)


def _check_room(stores: Path, needed: int) -> None:
    free = shutil.disk_usage(stores).free
    if needed * _SPARE > free:
        raise StoreWriteError(
            f"{stores}: the decoded images need {megabytes(needed)}, {megabytes(free)} are free. Free some space"
            f"{_kept(stores)}, choose another disk with data.store_dir=DIR, or go without with data.store=off."
        )


def _kept(stores: Path) -> str:
    size = sum(file.stat().st_size for file in stores.glob(f"*/{_PIXELS}"))
    return f" ({megabytes(size)} of decoded images lie there: delete those that are not trained on)" if size else ""


def _build(reader: Reader, directory: Path, sizes: np.ndarray) -> DiskStore:
    stores, building = directory.parent, directory.with_suffix(_BUILDING)
    _remove(building)
    _clear_abandoned(stores)
    needed = decoded_bytes(sizes, reader.images.channels)
    _check_room(stores, needed)
    announce(len(sizes), needed, str(directory))
    building.mkdir()
    try:
        _fill(building, reader, sizes)
        _remove(directory)
        building.rename(directory)
    except BaseException:
        _remove(building)
        raise
    sync_directory(stores)
    store = load_disk_store(directory, reader)
    assert store is not None, "a store that was just built does not load"
    return store


def announce(count: int, size: int, place: str) -> None:
    """Say what is about to be decoded, unless it is little."""
    if size >= _WORTH_SAYING:
        _logger.info("decoding %d images, %s, into %s", count, megabytes(size), place)


def _fill(building: Path, reader: Reader, sizes: np.ndarray) -> None:
    channels = reader.images.channels
    index, total = packed_index(sizes, channels), decoded_bytes(sizes, channels)
    with (building / _PIXELS).open("xb") as file:
        _reserve(file.fileno(), total)
        reading = reader.read_all(partial(_keep, file.fileno(), index, reader.images))
        os.fsync(file.fileno())
    meta = {"format": _FORMAT, "channels": channels, "bytes": total, **reading.to_json()}
    _write_durably(building / _INDEX, partial(np.save, arr=index))
    _write_durably(building / _META, lambda file: file.write(json.dumps(meta).encode()))
    sync_directory(building)


def _reserve(descriptor: int, size: int) -> None:
    """Give a file its length, and blocks on the device where the system can: then no write fails for want of room."""
    if size > 0 and sys.platform != "darwin":
        os.posix_fallocate(descriptor, 0, size)
    else:
        os.ftruncate(descriptor, size)


def _keep(descriptor: int, index: np.ndarray, images: Images, position: int, pixels: np.ndarray) -> None:
    offset, height, width = index[position].tolist()
    check_size(images, position, pixels, (height, width))
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
