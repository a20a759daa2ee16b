"""Stores that keep nothing on disk: decoded images in memory, or decoded anew at every access."""

from collections.abc import Sequence
from typing import final

import numpy as np

from vernier.data.images import Images
from vernier.data.store_base import Reading, Store


@final
class MemoryStore(Store):
    """Decoded images in memory."""

    def __init__(self, pixels: Sequence[np.ndarray | None], reading: Reading, reason: str) -> None:
        super().__init__(reading, reason)
        self._images = tuple(pixels)

    def __len__(self) -> int:
        return len(self._images)

    def _pixels(self, position: int) -> np.ndarray:
        image = self._images[position]
        assert image is not None, "a bad image was asked for"
        return image.view()


@final
class OffStore(Store):
    """Images that are read from their source at every access."""

    def __init__(self, images: Images, reading: Reading, reason: str) -> None:
        super().__init__(reading, reason)
        self._images = images

    def __len__(self) -> int:
        return len(self._images)

    def _pixels(self, position: int) -> np.ndarray:
        return self._images.read(position).view()
