"""Published weights over the network, failing early and in plain words."""

import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from urllib.parse import urlsplit

from vernier.errors import ModelError

_PATIENCE_SECONDS = 5.0


def require_reachable(url: str, name: str) -> None:
    """Ask the host of `url` for a sign of life, through the proxy of the environment if there is one.

    Hub libraries try for most of a minute before they give up.

    Raises:
        ModelError: no answer within 5 s.
    """
    parts = urlsplit(url)
    host = f"{parts.scheme}://{parts.netloc}/"
    try:
        urllib.request.urlopen(urllib.request.Request(host, method="HEAD"), timeout=_PATIENCE_SECONDS).close()
    except urllib.error.HTTPError:
        return
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise no_weights(name, f"{host} can't be reached ({_plain(reason)})") from None


@contextmanager
def download_errors(name: str, *others: type[Exception]) -> Iterator[None]:
    """Turn a failed download, an OSError or one of `others`, into a ModelError."""
    failures: tuple[type[Exception], ...] = (OSError, *others)
    try:
        yield
    except failures as error:
        raise no_weights(name, _plain(error)) from error


def no_weights(name: str, reason: str) -> ModelError:
    """The error for published weights that can't be had."""
    return ModelError(
        f"model.pretrained=true: the weights of {name} can't be had: {reason}. "
        "Use a local file (model.weights=FILE.safetensors), or train from scratch (model.pretrained=false)"
    )


def _plain(reason: object) -> str:
    if isinstance(reason, socket.gaierror):
        return "its name is not known; is this machine offline?"
    return " ".join(str(reason).split()).rstrip(".") or type(reason).__name__
