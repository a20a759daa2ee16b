"""Stores that keep nothing on disk: decoded images in memory, or decoded anew at every access."""

import threading
from typing import final

import numpy as np

from vernier.data.images import Images
from vernier.data.packed import PackedImages
from vernier.data.store_base import Reading, Store


@final
class MemoryStore(Store):
    """Decoded images in memory."""

    def __init__(self, images: PackedImages, reading: Reading, reason: str) -> None:
        super().__init__(reading, reason)
        self._images = images

    @property
    def array(self) -> np.ndarray | None:
        """See `Store.array`."""
        return None if self.bad else self._images.whole

    def __len__(self) -> int:
        return len(self._images)

    def _pixels(self, position: int) -> np.ndarray:
        return self._images[position]


@final
class OffStore(Store):
    """Images that are read from their source at every access."""

    def __init__(self, images: Images, reading: Reading, reason: str) -> None:
        super().__init__(reading, reason)
        self._images = images

    @property
    def array(self) -> np.ndarray | None:
        """Where the source has its images in memory, with the channels asked for; see `Store.array`."""
        return self._images.whole

    def __len__(self) -> int:
        return len(self._images)

    def _pixels(self, position: int) -> np.ndarray:
        return self._images.read(position).view()


@final
class LazyStore(Store):
    """Images that are read from their source at their first access, and kept as far as they fit `room` bytes."""

    def __init__(self, images: Images, reading: Reading, reason: str, room: int) -> None:
        super().__init__(reading, reason)
        self._images = images
        self._room = room
        self._kept: dict[int, np.ndarray] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._images)

    def _pixels(self, position: int) -> np.ndarray:
        pixels = self._kept.get(position)
        if pixels is None:
            pixels = self._images.read(position)
            self._keep(position, pixels)
        return pixels.view()

    def _keep(self, position: int, pixels: np.ndarray) -> None:
        with self._lock:
            if position not in self._kept and pixels.nbytes <= self._room:
                self._kept[position] = pixels
                self._room -= pixels.nbytes
