"""Whole files from URLs, over connections that are slow or break."""

import http.client
import io
import logging
import time
import urllib.error
from dataclasses import dataclass
from typing import BinaryIO, Final, final

from vernier.config.data import StreamConfig
from vernier.data.shards.url import open_at
from vernier.errors import DataError

FIRST_WAIT: float = 0.5
"""Seconds before the second try; each later wait is twice as long as the one before."""

_CHUNK: Final = 2**18
_logger = logging.getLogger(__name__)


def fetch(url: str, target: BinaryIO, stream: StreamConfig, size: int | None = None) -> None:
    """Copy what the URL holds into an empty file.

    A transfer that breaks is continued where it broke if the server can do that, else begun anew. `stream.retries`
    counts failures in a row: one that came further than all before begins the count again.

    Args:
        target: Left at its end.
        stream: How patient to be.
        size: In bytes, where it is known.

    Raises:
        DataError: the last try failed, the file is not there or not of this size, the target can't be written.
    """
    transfer = _Transfer(url, target, stream.timeout.value, size)
    furthest = failures = tries = 0
    begin = time.monotonic()
    while True:
        tries += 1
        try:
            return transfer.go_on()
        except (OSError, http.client.HTTPException) as error:
            failures = 1 if target.tell() > furthest else failures + 1
            furthest = max(furthest, target.tell())
            if failures > stream.retries:
                raise _given_up(url, error, tries, time.monotonic() - begin) from None
            wait = FIRST_WAIT * 2 ** (failures - 1)
            _logger.warning(
                "%s: %s; trying again in %.1f s (%d of %d)", url, _reason(error), wait, failures, stream.retries
            )
            time.sleep(wait)


def fetch_text(url: str, stream: StreamConfig) -> str:
    """A small text file.

    Raises:
        DataError: as `fetch`, or it is no UTF-8.
    """
    target = io.BytesIO()
    fetch(url, target, stream)
    try:
        return target.getvalue().decode()
    except UnicodeDecodeError as error:
        raise DataError(f"{url}: is no UTF-8 text: {error}; check the URL") from None


@final
@dataclass
class _Transfer:
    """A transfer that may take several connections."""

    url: str
    target: BinaryIO
    timeout: float
    size: int | None
    version: str | None = None

    def go_on(self) -> None:
        """Copy the rest, over one connection."""
        answer = open_at(self.url, self.target.tell(), self.timeout, self.version)
        with answer.content as content:
            self._check_size(answer.size)
            self.version = answer.version
            if answer.start != self.target.tell():
                self.target.seek(answer.start)
                self.target.truncate()
            while chunk := content.read(_CHUNK):
                self._write(chunk)
        self._check_end(answer.size if self.size is None else self.size)

    def _check_size(self, size: int | None) -> None:
        if None not in (size, self.size) and size != self.size:
            raise DataError(
                f"{self.url}: has {size} bytes, and its index says {self.size}: the shard or its index was replaced. "
                "Make the set again with vernier convert, or put both there"
            )

    def _check_end(self, size: int | None) -> None:
        if size is not None and self.target.tell() != size:
            raise OSError(0, f"the connection ended after {self.target.tell()} of {size} bytes")

    def _write(self, chunk: bytes) -> None:
        left = memoryview(chunk)
        try:
            while left:
                left = left[self.target.write(left) :]
        except OSError as error:
            raise DataError(
                f"{self.url}: can't be kept: {error.strerror}. Make room, set data.store_dir to a larger disk, or "
                "lower data.stream.window"
            ) from None


def _given_up(url: str, error: Exception, tries: int, seconds: float) -> DataError:
    count = "1 try" if tries == 1 else f"{tries} tries"
    return DataError(
        f"{url}: can't be read: {_reason(error)} ({count} in {seconds:.1f} s). Check the server and the network, then "
        "run the same command again: a training goes on from its last checkpoint. data.stream.retries and "
        "data.stream.timeout make it more patient"
    )


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.URLError):
        cause = error.reason
        return (cause.strerror if isinstance(cause, OSError) else None) or str(cause)
    if isinstance(error, TimeoutError):
        return "the server says nothing"
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
