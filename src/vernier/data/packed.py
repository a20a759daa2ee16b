"""Images of any sizes, one after the other in one flat array."""

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np


@final
@dataclass(frozen=True)
class PackedImages:
    """Pixels of N images in one array.

    Attributes:
        flat: uint8, the pixels of all images.
        index: int64 (N, 3): offset in bytes, height, width; from `packed_index`.
        channels: Of every image.
    """

    flat: np.ndarray
    index: np.ndarray
    channels: int

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, position: int) -> np.ndarray:
        """A view of one image, uint8 (H, W, C)."""
        offset, height, width = self.index[position].tolist()
        end = offset + height * width * self.channels
        return self.flat[offset:end].reshape(height, width, self.channels)

    @cached_property
    def whole(self) -> np.ndarray | None:
        """A read-only view of all images, uint8 (N, H, W, C); None unless all have one size."""
        heights, widths = self.index[:, 1], self.index[:, 2]
        if len(self) == 0 or (heights != heights[0]).any() or (widths != widths[0]).any():
            return None
        array = self.flat.reshape(len(self), heights[0], widths[0], self.channels)
        array.flags.writeable = False
        return array


def packed_index(sizes: np.ndarray, channels: int) -> np.ndarray:
    """The index of images of these heights and widths, int64 (N, 2), that follow each other without gaps."""
    lengths = sizes.prod(axis=1) * channels
    return np.column_stack([np.cumsum(lengths) - lengths, sizes])
