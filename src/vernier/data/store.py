"""Decoded images, in memory, on disk, or not kept at all: `open_store` chooses and builds.

Pixels are touched once: a set is decoded in full, checked and hashed before the first step, and training reads
uint8 arrays from then on. `data.store=off` decodes at every access; its check is remembered in `data.store_dir`.
Images at a reduced scale (`reduced_images`) are a set of their own, with a store of their own; `full_store` goes
with it, since evaluation sees images in full.
"""

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np

from vernier.atomic import write_text_atomically
from vernier.config.data import DataConfig
from vernier.data.available_memory import available_memory
from vernier.data.disk_store import (
    DiskStore,
    StoreWriteError,
    announce,
    build_disk_store,
    decoded_bytes,
    load_disk_store,
    megabytes,
)
from vernier.data.images import Images
from vernier.data.memory_store import LazyStore, MemoryStore, OffStore
from vernier.data.packed import PackedImages, packed_index
from vernier.data.read_all import Reader
from vernier.data.store_base import BadImage, Reading, Store, check_bad, check_size
from vernier.data.store_directory import store_directory
from vernier.data.stream_store import StreamStore, streamed
from vernier.errors import DataError, RunError

__all__ = ["BadImage", "DiskStore", "MemoryStore", "OffStore", "Store", "full_store", "open_store"]

_SMALL: Final = 512 * 2**20
_SHARE_OF_MEMORY: Final = 0.25
_STREAMED: Final = "off: images are streamed, and decoded at every access"


def open_store(
    images: Images,
    data: DataConfig,
    threads: int,
    progress: Callable[[int, int], None] | None = None,
    sizes: np.ndarray | None = None,
) -> Store:
    """The store of `images` that `data.store` asks for, every image checked.

    auto: images that are in memory already stay as they are; a disk store that exists is used; up to 512 MiB and
    a quarter of the memory are decoded into memory; else a disk store is built where there is room; else memory up
    to the quarter; else every access decodes. Images in shards behind URLs are streamed for auto and off, and not
    checked then, unless bad ones are to be skipped.

    Args:
        images: As they are to be kept.
        data: Which kind of store, where, and what to do with bad images.
        threads: To read with; 0 reads in the caller's.
        progress: Gets (images done, images in all) from the caller's thread.
        sizes: Heights and widths by the headers, int64 (N, 2), where they are known already.

    Raises:
        DataError: bad images (unless `data.on_bad_image` is skip), no room for the store asked for.
    """
    reader = Reader(images, data.on_bad_image, threads, progress, sizes)
    if images.is_decoded and data.store != "disk":
        return OffStore(images, reader.read_all(_forget), "memory: the source has its images decoded already")
    directory = store_directory(data.store_dir) / images.fingerprint()[:32]
    stream = streamed(images)
    if stream is not None and data.store in ("auto", "off"):
        return StreamStore(*stream, _bad_in_stream(reader, directory), _STREAMED)
    return _OPENERS[data.store](reader, directory)


def full_store(images: Images, reduced: Store) -> Store:
    """`images` in full, for evaluation, when `reduced` holds them at a smaller scale and has checked them.

    They are decoded when they are asked for, and kept as far as there is room for few, unless nothing is to be
    kept. No other check is needed: decoding smaller reads every byte of a file all the same.
    """
    if isinstance(reduced, OffStore):
        return OffStore(images, reduced.reading, "off: decoded in full at every access")
    room = _little_memory()
    return LazyStore(images, reduced.reading, f"memory: decoded in full at first access, up to {megabytes(room)}", room)


def _little_memory() -> int:
    return min(_SMALL, _share_of_memory())


def _share_of_memory() -> int:
    return int(available_memory() * _SHARE_OF_MEMORY)


def _auto(reader: Reader, directory: Path) -> Store:
    existing = load_disk_store(directory, reader)
    if existing is not None:
        return existing
    sizes = reader.sizes()
    total = decoded_bytes(sizes, reader.images.channels)
    if total <= _little_memory():
        return _in_memory(reader, sizes, f"memory: {megabytes(total)} decoded")
    try:
        return build_disk_store(reader, directory, sizes)
    except StoreWriteError as error:
        if total <= _share_of_memory():
            return _in_memory(reader, sizes, f"memory: {megabytes(total)} decoded, as the disk won't do ({error})")
        return _checked(reader, directory, f"off: {megabytes(total)} decoded, and the disk won't do ({error})")


def _memory(reader: Reader, _: Path) -> Store:
    sizes = reader.sizes()
    total, available = decoded_bytes(sizes, reader.images.channels), available_memory()
    if total > available:
        raise DataError(
            f"data.store=memory: the decoded images need {megabytes(total)}, {megabytes(available)} are "
            "available. Take data.store=disk, or data.store=off."
        )
    return _in_memory(reader, sizes, f"memory: {megabytes(total)} decoded, as data.store says")


def _disk(reader: Reader, directory: Path) -> Store:
    existing = load_disk_store(directory, reader)
    return build_disk_store(reader, directory, reader.sizes()) if existing is None else existing


def _off(reader: Reader, directory: Path) -> Store:
    return _checked(reader, directory, "off: images are decoded at every access, as data.store says")


_OPENERS: Final = {"auto": _auto, "memory": _memory, "disk": _disk, "off": _off}


def _in_memory(reader: Reader, sizes: np.ndarray, reason: str) -> MemoryStore:
    channels, total = reader.images.channels, decoded_bytes(sizes, reader.images.channels)
    announce(len(sizes), total, "memory")
    images = PackedImages(np.empty(total, np.uint8), packed_index(sizes, channels), channels)

    def keep(position: int, pixels: np.ndarray) -> None:
        place = images[position]
        check_size(reader.images, position, pixels, place.shape[:2])
        place[:] = pixels

    return MemoryStore(images, reader.read_all(keep), reason)


def _bad_in_stream(reader: Reader, directory: Path) -> Sequence[BadImage]:
    """Bad images among streamed ones, which are only looked for when they are to be left out: all are read once."""
    return _checked(reader, directory, _STREAMED).bad if reader.on_bad_image == "skip" else ()


def _checked(reader: Reader, directory: Path, reason: str) -> OffStore:
    record = directory.with_suffix(".check.json")
    reading = _remembered(record)
    if reading is None:
        reading = reader.read_all(_forget)
        _remember(record, reading)
    check_bad(reading.bad, len(reader.images), reader.on_bad_image)
    return OffStore(reader.images, reading, reason)


def _remembered(record: Path) -> Reading | None:
    try:
        return Reading.from_json(json.loads(record.read_text()))
    except (OSError, ValueError, TypeError, KeyError):
        # Whatever is wrong with the record, the images are checked again.
        return None


def _remember(record: Path, reading: Reading) -> None:
    # Without a record the next run checks again: no reason to stop this one.
    with suppress(OSError, RunError):
        record.parent.mkdir(parents=True, exist_ok=True)
        write_text_atomically(record, json.dumps(reading.to_json()))


def _forget(position: int, pixels: np.ndarray) -> None:
    """Keep nothing."""
