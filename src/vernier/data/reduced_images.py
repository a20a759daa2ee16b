"""JPEG files at one over their size, as far as training has pixels to spare."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import final

import numpy as np

from vernier.data.header_table import HeaderTable
from vernier.data.images import Content, EncodedImages, Images

DENOMINATORS = (1, 2, 4, 8)
"""Of the scales that JPEG decoders have."""

Spare = Callable[[np.ndarray], np.ndarray]
"""Heights and widths, int64 (N, 2) -> pixels of the image that lie at least under one that is trained on, (N,)."""


@final
class ReducedImages(Images):
    """Image files, each at its own scale: 1 over `denominators`, int64 (N,), of 1, 2, 4 and 8."""

    def __init__(self, files: EncodedImages, denominators: np.ndarray) -> None:
        self.files = files
        self.denominators = denominators
        self.channels = files.channels

    def __len__(self) -> int:
        return len(self.files)

    def key(self, index: int) -> str:
        """The file's."""
        return self.files.key(index)

    def path(self, index: int) -> Path | None:
        """The file, where the image is one."""
        return self.files.path(index)

    def content(self, index: int) -> bytes:
        """The file's bytes."""
        return self.files.content(index)

    def decode(self, index: int, content: Content) -> np.ndarray:
        """Pixels at this file's scale."""
        return self.files.decode(index, content, int(self.denominators[index]))

    @property
    def decoding(self) -> str:
        """That of the files, and the scale; the scale of each shows in its size."""
        return f"{self.files.decoding} scale=1/{self.scale}"

    @property
    def scale(self) -> int:
        """The largest denominator."""
        return int(self.denominators.max())

    def size(self, index: int) -> tuple[int, int]:
        """(H, W) at this file's scale, from its header."""
        return self.files.header(index).reduced(int(self.denominators[index])).upright_size

    def fingerprint(self) -> str:
        """Of the files and the scales."""
        digest = hashlib.sha256(self.files.fingerprint().encode())
        digest.update(self.denominators.tobytes())
        return digest.hexdigest()


def reduce_images(files: EncodedImages, headers: HeaderTable, spare: Spare, most: int) -> tuple[Images, np.ndarray]:
    """The files with JPEG at the scales that `spare` leaves room for; as they are where that is none.

    Args:
        files: In full.
        headers: Theirs.
        spare: Says how far images of a size may be reduced.
        most: The largest denominator: 1, 2, 4 or 8.

    Returns:
        The images, and their heights and widths, int64 (N, 2).
    """
    scales = denominators(headers, spare, most)
    images = ReducedImages(files, scales) if (scales > 1).any() else files
    return images, headers.reduced_sizes(scales)


def denominators(headers: HeaderTable, spare: Spare, most: int) -> np.ndarray:
    """The scale of each image, int64 (N,): the largest denominator up to `most` that `spare` leaves room for."""
    chosen = np.ones(len(headers.sizes), np.int64)
    room = np.clip(spare(headers.sizes[headers.reducible]), 1, most)
    chosen[headers.reducible] = np.array(DENOMINATORS)[np.searchsorted(DENOMINATORS, room, side="right") - 1]
    return chosen
