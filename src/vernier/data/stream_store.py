"""Images that are streamed: decoded when they are asked for, never all of them first."""

import hashlib
from collections.abc import Sequence
from typing import final

import numpy as np

from vernier.data.images import ImageError, Images
from vernier.data.shards.images import ShardImages
from vernier.data.shards.remote import RemoteShards
from vernier.data.store_base import BadImage, Reading, Store
from vernier.errors import DataError


@final
class StreamStore(Store):
    """Images in shards behind URLs.

    Args:
        images: In the shards of `reader`.
        bad: Those that can't be read, where all have been read once; any other one is an error when it is asked for.
    """

    def __init__(self, images: ShardImages, reader: RemoteShards, bad: Sequence[BadImage], reason: str) -> None:
        super().__init__(Reading(_index_hash(images), tuple(bad), 1), reason)
        self._images, self._reader = images, reader

    def __len__(self) -> int:
        return len(self._images)

    def expect(self, positions: np.ndarray) -> None:
        """Told what is asked for next, int64 (n,) in this order: its shards are fetched ahead."""
        shards, first = np.unique(self._images.shards[positions], return_index=True)
        self._reader.expect(shards[np.argsort(first)])

    def _pixels(self, position: int) -> np.ndarray:
        try:
            return self._images.read(position).view()
        except ImageError as error:
            raise DataError(
                f"{error}. Mend or remove it; or leave such images out with data.on_bad_image=skip, which reads all of "
                "a set once before the first training on it"
            ) from None


def streamed(images: Images) -> tuple[ShardImages, RemoteShards] | None:
    """The images and what reads their shards, if these are behind URLs."""
    if isinstance(images, ShardImages) and isinstance(images.reader, RemoteShards):
        return images, images.reader
    return None


def _index_hash(images: ShardImages) -> str:
    """SHA-256 of what the index says: the decoder, each shard's name and size, what lies where."""
    digest = hashlib.sha256(f"{images.decoding}\n".encode())
    for shard in np.unique(images.shards).tolist():
        name = images.reader.name(shard).rpartition("/")[2]
        digest.update(f"{name}\0{images.reader.stamp(shard)}\n".encode())
    digest.update("\0".join(images.keys).encode(errors="surrogateescape"))
    for column in (images.shards, images.offsets, images.lengths):
        digest.update(np.ascontiguousarray(column, np.int64).tobytes())
    return digest.hexdigest()
