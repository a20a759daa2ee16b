"""Shards behind URLs, fetched whole when an image of theirs is first asked for."""

import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final, final

import numpy as np

from vernier.config.data import StreamConfig
from vernier.data.shards.images import ShardReader
from vernier.data.shards.shard_store import KeptShard, ShardStore, keep_shard
from vernier.data.shards.transfer import fetch
from vernier.errors import DataError

_BESIDE_THE_WINDOW: Final = 2
"""Shards that are kept beside the open ones: the next one, and the one that others may still read from."""


@final
class RemoteShards(ShardReader):
    """Shards behind URLs. Of each whole shard `stream.window` and two more are kept here.

    Args:
        urls: Of all shards.
        sizes: Of each, in bytes.
        stream: How patient to be, and where shards are kept.
        directory: For those that are kept on disk.
    """

    def __init__(self, urls: Sequence[str], sizes: Sequence[int], stream: StreamConfig, directory: Path) -> None:
        self._urls, self._sizes, self._stream, self._directory = tuple(urls), tuple(sizes), stream, directory
        self._store = ShardStore(self._fetch, stream.window + _BESIDE_THE_WINDOW)
        self._ahead = _Ahead((), stream.window)

    def read(self, shard: int, offset: int, length: int) -> bytes:
        """See `ShardReader.read`.

        Raises:
            DataError: the shard can't be fetched; see `transfer.fetch`.
        """
        self._fetch_ahead(self._ahead.due(shard))
        return self._store.get(shard).read(offset, length)

    def name(self, shard: int) -> str:
        """The URL."""
        return self._urls[shard]

    def stamp(self, shard: int) -> str:
        """The size: it comes from the index, which is made anew with the shard."""
        return str(self._sizes[shard])

    def expect(self, shards: np.ndarray) -> None:
        """Told what is read next: int64 (n,), shards in the order of their first use. They are fetched a bit ahead."""
        self._ahead = _Ahead(tuple(shards.tolist()), self._stream.window)
        self._fetch_ahead(self._ahead.first())

    def _fetch(self, shard: int) -> KeptShard:
        def fill(target: BinaryIO) -> None:
            fetch(self._urls[shard], target, self._stream, self._sizes[shard])

        return keep_shard(fill, self._stream.cache, self._directory)

    def _fetch_ahead(self, shards: Sequence[int]) -> None:
        for shard in shards:
            # A thread that ends with the process: nobody waits for a server that says nothing.
            threading.Thread(target=self._try, args=(shard,), name="vernier-fetch", daemon=True).start()

    def _try(self, shard: int) -> None:
        # Who needs the shard tries again, and says what is wrong.
        with suppress(DataError):
            self._store.get(shard)


@final
class _Ahead:
    """Which shards to fetch before they are asked for: those that are open at first, then always one more."""

    def __init__(self, shards: Sequence[int], window: int) -> None:
        self._shards, self._window = shards, window
        self._places = {shard: place for place, shard in enumerate(shards)}
        self._begun = 0
        self._lock = threading.Lock()

    def first(self) -> Sequence[int]:
        """The shards that are open at first, and the next."""
        return self._up_to(self._window + 1)

    def due(self, shard: int) -> Sequence[int]:
        """What to fetch now that a shard is read."""
        return self._up_to(self._places.get(shard, -2) + 2)

    def _up_to(self, stop: int) -> Sequence[int]:
        if stop <= self._begun:
            return ()
        with self._lock:
            begun, self._begun = self._begun, max(self._begun, min(stop, len(self._shards)))
            return self._shards[begun : self._begun]
