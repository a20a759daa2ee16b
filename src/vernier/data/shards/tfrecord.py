"""TFRecord files: records one after the other, each with its length and two checksums.

uint64 length, uint32 masked CRC of the length, the record, uint32 masked CRC of the record; little endian.
"""

import os
import secrets
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from vernier.atomic import sync_directory
from vernier.config.data import RecordsConfig
from vernier.data.shards.crc import masked_crc
from vernier.data.shards.entry import Entry
from vernier.data.shards.example import Parts, bytes_feature, encode_example, int64_feature
from vernier.data.shards.writer import ImageRecord, ShardWriter

SIZE_FEATURE: Final = "size"
"""Feature of height and width."""
CLASS_FEATURE: Final = "class_name"
"""Feature of the names of the classes."""

_LENGTH: Final = struct.Struct("<Q")
_CRC: Final = struct.Struct("<I")
_HEAD: Final = _LENGTH.size + _CRC.size
_BUFFER: Final = 2**20
_LONGEST: Final = 2**31 - 1
_GZIP: Final = b"\x1f\x8b"


@final
class TFRecordWriter(ShardWriter):
    """Writes a TFRecord file of `tf.train.Example`s.

    Features: the image file's bytes, the classes' numbers and the key, named as `records` says; `size`, height and
    width; `class_name`, the classes' names. The file is written under a temporary name beside `path`.

    Raises:
        OSError: the file can't be made.
    """

    def __init__(self, path: Path, records: RecordsConfig) -> None:
        self._path, self._records = path, records
        self._temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
        self._file = self._temporary.open("xb", buffering=_BUFFER)
        self._position = 0

    def add(self, record: ImageRecord) -> Entry:
        """See `ShardWriter.add`."""
        example = encode_example(self._features(record))
        length = _LENGTH.pack(len(example))
        self._file.write(length + _CRC.pack(masked_crc(length)))
        self._file.write(example)
        self._file.write(_CRC.pack(masked_crc(example)))
        # The image's feature is written last, so that the record ends in its bytes.
        self._position += len(length) + _CRC.size + len(example)
        offset = self._position - len(record.content)
        self._position += _CRC.size
        return Entry(record.key, record.class_names, offset, len(record.content))

    def close(self) -> int:
        """See `ShardWriter.close`."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._temporary.replace(self._path)
        sync_directory(self._path.parent)
        return self._position

    def abandon(self) -> None:
        """See `ShardWriter.abandon`."""
        self._temporary.unlink(missing_ok=True)
        # What is buffered may not fit the disk, and need not.
        with suppress(OSError):
            self._file.close()

    def _features(self, record: ImageRecord) -> dict[str, Parts]:
        names = [name.encode(errors="surrogateescape") for name in record.class_names]
        return {
            SIZE_FEATURE: int64_feature(record.size),
            CLASS_FEATURE: bytes_feature(names),
            self._records.key: bytes_feature([record.key.encode(errors="surrogateescape")]),
            self._records.label: int64_feature(record.labels),
            self._records.image: bytes_feature([record.content]),
        }


@final
@dataclass(frozen=True, slots=True)
class Record:
    """A record as it lies in its file.

    Attributes:
        number: From 0.
        offset: Where it starts, with its length.
        data: The record.
    """

    number: int
    offset: int
    data: bytes

    @property
    def data_offset(self) -> int:
        """Where `data` starts."""
        return self.offset + _HEAD


@final
@dataclass(frozen=True, slots=True)
class Damage:
    """What is wrong with a record: its number from 0, where it starts, and a phrase."""

    number: int
    offset: int
    reason: str


def read_records(path: Path, check: bool) -> Iterator[Record | Damage]:
    """The records of a TFRecord file in their order, and what is damaged among them.

    After a record whose length can't be right nothing can be found, so that damage is the last that is told.

    Args:
        path: The file.
        check: Whether checksums are compared.

    Raises:
        OSError: the file can't be read.
    """
    with path.open("rb", buffering=0) as file:
        yield from _read_records(file.fileno(), os.fstat(file.fileno()).st_size, check)


def _read_records(file: int, size: int, check: bool) -> Iterator[Record | Damage]:
    number = position = 0
    while position < size:
        head = os.pread(file, _HEAD, position)
        start = position + _HEAD
        if reason := _bad_head(head, size - start, check):
            yield Damage(number, position, reason)
            return
        (length,) = _LENGTH.unpack_from(head)
        data = os.pread(file, length, start)
        if check and _CRC.pack(masked_crc(data)) != os.pread(file, _CRC.size, start + length):
            yield Damage(number, position, "is damaged: its checksum is another one")
        else:
            yield Record(number, position, data)
        number, position = number + 1, start + length + _CRC.size


def _bad_head(head: bytes, left: int, check: bool) -> str | None:
    """What is wrong with a record's head, `left` bytes of the file coming after it."""
    if len(head) < _HEAD:
        return f"is cut short: the file ends after {len(head)} bytes"
    if check and _CRC.pack(masked_crc(head[: _LENGTH.size])) != head[_LENGTH.size :]:
        hint = "; the file is compressed, unpack it with gunzip" if head.startswith(_GZIP) else ""
        return f"has a length whose checksum is another one, so nothing is found from here on{hint}"
    (length,) = _LENGTH.unpack_from(head)
    if length > _LONGEST:
        return f"says that it is {length} bytes long, which no image is, so nothing is found from here on"
    if length + _CRC.size > left:
        return f"is cut short: it says that it is {length} bytes long, the file ends after {left}"
    return None
