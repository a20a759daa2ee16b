"""Shards that are kept here while they are read."""

import io
import os
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import BinaryIO, Literal, final

from vernier.errors import DataError

FAILS_FOR: float = 1.0
"""Seconds for which a shard that could not be fetched is not tried again."""

Fill = Callable[[BinaryIO], None]
"""Writes a shard's bytes into an empty file."""


class KeptShard(ABC):
    """The bytes of a shard. Safe to read from several threads; gone with its last reader."""

    @abstractmethod
    def read(self, offset: int, length: int) -> bytes:
        """The bytes at `offset`; fewer at the end."""


@final
class ShardInMemory(KeptShard):
    """The bytes themselves."""

    def __init__(self, fill: Fill) -> None:
        content = io.BytesIO()
        fill(content)
        self._content = content.getbuffer()

    def read(self, offset: int, length: int) -> bytes:
        """See `KeptShard.read`."""
        return bytes(self._content[offset : offset + length])


@final
class ShardOnDisk(KeptShard):
    """A file without a name, which the system removes even when the process is killed."""

    def __init__(self, fill: Fill, directory: Path) -> None:
        with tempfile.TemporaryFile(dir=directory, buffering=0) as file:
            fill(file)
            self._descriptor = os.dup(file.fileno())

    def read(self, offset: int, length: int) -> bytes:
        """See `KeptShard.read`."""
        return os.pread(self._descriptor, length, offset)

    def __del__(self) -> None:
        if hasattr(self, "_descriptor"):
            os.close(self._descriptor)


def keep_shard(fill: Fill, cache: Literal["disk", "memory"], directory: Path) -> KeptShard:
    """The shard that `fill` writes, kept as `data.stream.cache` says.

    Raises:
        DataError: there can be no file in `directory`, or whatever `fill` raises.
    """
    if cache == "memory":
        return ShardInMemory(fill)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        return ShardOnDisk(fill, directory)
    except OSError as error:
        raise DataError(
            f"shards can't be kept in {directory}: {error.strerror}; set data.store_dir, or data.stream.cache=memory"
        ) from None


@final
class ShardStore:
    """At most `room` shards, by number; the one that was used longest ago goes first.

    Several threads may ask for a shard at once: one of them fetches it, the others wait. When that fails it fails for
    all who ask within `FAILS_FOR`, so that threads on their way out do not all try for long; then it is tried again.

    Args:
        fetch: Gets a shard.
    """

    def __init__(self, fetch: Callable[[int], KeptShard], room: int) -> None:
        self._fetch, self._room = fetch, room
        self._shards: OrderedDict[int, _Coming] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, shard: int) -> KeptShard:
        """The shard, fetched if it is not here.

        Raises:
            DataError: it can't be fetched.
        """
        with self._lock:
            known = self._shards.get(shard)
            coming = _Coming() if known is None or known.failed_long_ago else known
            self._shards[shard] = coming
            self._shards.move_to_end(shard)
            while len(self._shards) > self._room:
                self._shards.popitem(last=False)
        if coming is not known:
            coming.fill(partial(self._fetch, shard))
        return coming.future.result()


@final
class _Coming:
    """A shard that is here, on its way, or could not be fetched."""

    def __init__(self) -> None:
        self.future: Future[KeptShard] = Future()
        self._failed_at: float | None = None

    @property
    def failed_long_ago(self) -> bool:
        return self._failed_at is not None and time.monotonic() - self._failed_at > FAILS_FOR

    def fill(self, fetch: Callable[[], KeptShard]) -> None:
        try:
            self.future.set_result(fetch())
        except DataError as error:
            self._failed_at = time.monotonic()
            self.future.set_exception(error)
        finally:
            # Whatever else went wrong is raised here; who waits in other threads must not wait for ever.
            self.future.cancel()
