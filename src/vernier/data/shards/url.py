"""Files behind URLs: http and https by the standard library, every other protocol by fsspec."""

import os
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Protocol, final
from urllib.parse import quote, urlsplit

from vernier.errors import DataError

_BRACES: Final = re.compile(r"\{(?:(\d+)\.\.(\d+)|([^{}]*))\}")
_LOCAL: Final = frozenset({"file", "local", "memory"})
_WORTH_ANOTHER_TRY: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})


class NotServed(DataError):
    """A file that is not there, or that is not given to us: another try would end the same way."""


class Bytes(Protocol):
    """What is read from."""

    def read(self, amount: int, /) -> bytes:
        """At most so many bytes; none at the end."""
        ...


@final
@dataclass(frozen=True)
class Answer:
    """What a server sends of a file.

    Attributes:
        content: To be closed, as a context.
        start: Where in the file it begins; 0 where the server can't begin elsewhere.
        size: Of the whole file; None where the server does not say.
        version: What changes when the file does, if the server says so.
    """

    content: AbstractContextManager[Bytes]
    start: int
    size: int | None
    version: str | None


def is_url(text: str) -> bool:
    """Whether the text is a URL rather than a path."""
    return "://" in text


def beside(url: str, name: str) -> str:
    """The URL of a file in the directory at `url`; a query stays at the end."""
    parts = urlsplit(url)
    return parts._replace(path=f"{parts.path.rstrip('/')}/{quote(name)}").geturl()


def with_ending(url: str, ending: str) -> str:
    """The URL of the file whose name has another ending after its own."""
    parts = urlsplit(url)
    return parts._replace(path=parts.path + ending).geturl()


def expanded(url: str) -> list[str]:
    """The URLs that a pattern stands for: `{000..127}` counts with leading zeros, `{a,b}` lists."""
    match = _BRACES.search(url)
    if match is None:
        return [url]
    first, last, words = match.groups()
    values = words.split(",") if words else [f"{n:0{len(first)}}" for n in range(int(first), int(last) + 1)]
    return [tail for value in values for tail in expanded(url[: match.start()] + value + url[match.end() :])]


def refuse_offline(url: str, key: str) -> None:
    """Stop where VERNIER_OFFLINE forbids the network.

    Raises:
        DataError: the URL is none of this machine's files.
    """
    if os.environ.get("VERNIER_OFFLINE", "") not in ("", "0") and urlsplit(url).scheme not in _LOCAL:
        raise DataError(
            f"{key}={url}: VERNIER_OFFLINE is set, so nothing is read from the network; copy the set here and give its "
            "directory, or unset VERNIER_OFFLINE"
        )


def open_at(url: str, offset: int, timeout: float, version: str | None = None) -> Answer:
    """Open a file at a byte, or at its beginning where the server knows no other place.

    Args:
        offset: In bytes.
        timeout: Seconds that an HTTP server may say nothing.
        version: Of the answer that is to be continued; a file that has changed since begins anew.

    Raises:
        NotServed: there is no such file, or no access.
        DataError: there is no library for the protocol.
        OSError: whatever another try may mend.
    """
    scheme = urlsplit(url).scheme
    opener: Callable[[str, int, float, str | None], Answer] = _open_http if scheme in ("http", "https") else _open_other
    return opener(url, offset, timeout, version)


def _open_http(url: str, offset: int, timeout: float, version: str | None) -> Answer:
    request = urllib.request.Request(url)
    if offset:
        request.add_header("Range", f"bytes={offset}-")
        if version is not None:
            request.add_header("If-Range", version)
    try:
        response = urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        with error:
            if error.code in _WORTH_ANOTHER_TRY or error.code >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise OSError(0, f"the server answers {error.code} {error.reason}") from None
            raise NotServed(f"{url}: the server answers {error.code} {error.reason}; check the URL") from None
    start = offset if response.status == HTTPStatus.PARTIAL_CONTENT else 0
    length = response.headers["Content-Length"]
    size = None if length is None else start + int(length)
    return Answer(response, start, size, response.headers["ETag"] or response.headers["Last-Modified"])


def _open_other(url: str, offset: int, timeout: float, version: str | None) -> Answer:
    import fsspec

    try:
        system, path = fsspec.core.url_to_fs(url)
        file = system.open(path, "rb")
        file.seek(offset)
        return Answer(file, offset, system.size(path), None)
    except (ImportError, ValueError) as error:
        raise DataError(f"{url}: can't be opened: {error}") from None
    except (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError) as error:
        raise NotServed(f"{url}: {error.strerror or 'no such file'}; check the URL") from None
