"""Images that lie in shards."""

import hashlib
import io
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Final, final

import numpy as np

from vernier.data.decode import ImageError
from vernier.data.images import EncodedImages
from vernier.data.many_channels import ValueRange

_MOST_OPEN: Final = 256


class ShardReader(ABC):
    """Reads runs of bytes from the shards of a set, by number. Safe to use from several threads."""

    @abstractmethod
    def read(self, shard: int, offset: int, length: int) -> bytes:
        """The bytes at `offset`.

        Raises:
            OSError: they can't be read, or there are fewer.
        """

    @abstractmethod
    def name(self, shard: int) -> str:
        """The file's path or URL."""

    @abstractmethod
    def stamp(self, shard: int) -> str:
        """What changes when the file does."""


@final
class LocalShards(ShardReader):
    """Shards that are files here. As many of them stay open as systems allow without being asked."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = tuple(paths)
        self._descriptors: dict[int, int] = {}
        self._lock = threading.Lock()

    def read(self, shard: int, offset: int, length: int) -> bytes:
        """See `ShardReader.read`."""
        descriptor = self._descriptor(shard)
        if descriptor is None:
            with self._paths[shard].open("rb", buffering=0) as file:
                content = os.pread(file.fileno(), length, offset)
        else:
            content = os.pread(descriptor, length, offset)
        if len(content) < length:
            raise OSError(0, "is shorter than it was")
        return content

    def name(self, shard: int) -> str:
        """The path."""
        return str(self._paths[shard])

    def stamp(self, shard: int) -> str:
        """Size and times."""
        status = self._paths[shard].stat()
        return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"

    def _descriptor(self, shard: int) -> int | None:
        with self._lock:
            if shard not in self._descriptors and len(self._descriptors) < _MOST_OPEN:
                self._descriptors[shard] = os.open(self._paths[shard], os.O_RDONLY)
            return self._descriptors.get(shard)

    def __del__(self) -> None:
        for descriptor in self._descriptors.values():
            os.close(descriptor)


@final
class ShardImages(EncodedImages):
    """Images in shards: number n lies in shard `shards[n]` at `offsets[n]`, `lengths[n]` bytes long; int64 (N,)."""

    def __init__(
        self,
        reader: ShardReader,
        keys: Sequence[str],
        shards: np.ndarray,
        offsets: np.ndarray,
        lengths: np.ndarray,
        channels: int,
        max_pixels: int,
        value_range: ValueRange | None = None,
    ) -> None:
        super().__init__(keys, channels, max_pixels, value_range)
        self.reader = reader
        self.shards, self.offsets, self.lengths = shards, offsets, lengths

    def path(self, index: int) -> None:
        """None: the image is no file of its own."""

    def where(self, index: int) -> str:
        """The shard and the key."""
        return f"{self.reader.name(int(self.shards[index]))}: {self.keys[index]}"

    def content(self, index: int) -> bytes:
        """The bytes of the image file."""
        try:
            return self._read(index, int(self.lengths[index]))
        except OSError as error:
            raise ImageError(self.where(index), f"can't be read ({error.strerror})") from error

    def open(self, index: int) -> BinaryIO:
        """The image file, read in whole."""
        return io.BytesIO(self._read(index, int(self.lengths[index])))

    def _read(self, index: int, length: int) -> bytes:
        return self.reader.read(int(self.shards[index]), int(self.offsets[index]), length)

    def fingerprint(self) -> str:
        """Of every shard's name and stamp, what lies where, and how it is decoded."""
        head = f"{self.decoding}\n{self.max_pixels}\n"
        digest = hashlib.sha256(head.encode())
        for shard in np.unique(self.shards).tolist():
            digest.update(f"{self.reader.name(shard)}\0{self.reader.stamp(shard)}\n".encode(errors="surrogateescape"))
        digest.update("\0".join(self.keys).encode(errors="surrogateescape"))
        for column in (self.shards, self.offsets, self.lengths):
            digest.update(np.ascontiguousarray(column, np.int64).tobytes())
        return digest.hexdigest()
