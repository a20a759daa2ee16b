"""Where stores of decoded images lie."""

import os
from pathlib import Path

from vernier.errors import DataError


def store_directory(configured: str) -> Path:
    """The directory of `data.store_dir`; for `auto` that of the environment, else one in the home directory.

    Raises:
        DataError: there is no home directory to put it in.
    """
    if configured != "auto":
        return Path(configured).expanduser().absolute()
    return _cache_directory().absolute() / "stores"


def _cache_directory() -> Path:
    if own := os.environ.get("VERNIER_CACHE"):
        return Path(own)
    if shared := os.environ.get("XDG_CACHE_HOME"):
        return Path(shared) / "vernier"
    try:
        return Path.home() / ".cache" / "vernier"
    except RuntimeError as error:
        raise DataError(
            "data.store_dir=auto: no home directory to keep decoded images in: set data.store_dir or VERNIER_CACHE"
        ) from error
