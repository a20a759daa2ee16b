"""Images whose pixels lie in files, memory-mapped."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np

from vernier.data.images import Content, Images
from vernier.data.packed import PackedImages


@final
@dataclass(frozen=True)
class PixelFile:
    """A file of pixels, and what lies where; see `vernier.data.shards.pixels`."""

    path: Path
    images: PackedImages

    def stamp(self) -> str:
        """What changes when the file does."""
        status = self.path.stat()
        return f"{self.path} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"


@final
class DecodedImages(Images):
    """Images in files of pixels: number n is image `rows[n]` of file `files[numbers[n]]`; int64 (N,)."""

    def __init__(
        self, files: Sequence[PixelFile], keys: Sequence[str], numbers: np.ndarray, rows: np.ndarray, channels: int
    ) -> None:
        self.files, self.keys = tuple(files), tuple(keys)
        self.numbers, self.rows = numbers, rows
        self.channels = channels

    def __len__(self) -> int:
        return len(self.keys)

    def key(self, index: int) -> str:
        """The key given."""
        return self.keys[index]

    def path(self, index: int) -> None:
        """None: the image is no file of its own."""

    @property
    def is_decoded(self) -> bool:
        """True."""
        return True

    @property
    def whole(self) -> np.ndarray | None:
        """All images at once, uint8 (N, H, W, C), read-only; None unless they lie so in one file, of one size."""
        if len(self.files) > 1 or not np.array_equal(self.rows, np.arange(len(self.files[0].images))):
            return None
        images: np.ndarray | None = self.files[0].images.whole
        return images

    def content(self, index: int) -> memoryview:
        """The pixels in the file."""
        return self._view(index).data

    def decode(self, index: int, content: Content) -> np.ndarray:
        """Pixels, uint8 (H, W, channels), as they lie in the file; read-only."""
        return self._view(index)

    def _view(self, index: int) -> np.ndarray:
        view: np.ndarray = self.files[self.numbers[index]].images[int(self.rows[index])]
        return view

    @property
    def decoding(self) -> str:
        """The channels."""
        return f"pixels channels={self.channels}"

    def size(self, index: int) -> tuple[int, int]:
        """(H, W) by the index."""
        _, height, width = self.files[self.numbers[index]].images.index[self.rows[index]].tolist()
        return height, width

    def fingerprint(self) -> str:
        """Of every file's path, size and times, and what lies where; pixels are not read."""
        digest = hashlib.sha256(f"{self.decoding}\n".encode())
        for file in self.files:
            digest.update(f"{file.stamp()}\n".encode(errors="surrogateescape"))
            digest.update(np.ascontiguousarray(file.images.index).tobytes())
        digest.update("\0".join(self.keys).encode(errors="surrogateescape"))
        for column in (self.numbers, self.rows):
            digest.update(np.ascontiguousarray(column, np.int64).tobytes())
        return digest.hexdigest()
