"""Published data sets: where they lie, and how they get there."""

import hashlib
import http.client
import logging
import os
import tarfile
import tempfile
import urllib.request
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, final

from vernier.config.data import DataConfig
from vernier.errors import DataError

_TIMEOUT = 30.0
_CHUNK = 1 << 20
_logger = logging.getLogger(__name__)


@final
@dataclass(frozen=True)
class RemoteFile:
    """A file as its publisher offers it."""

    name: str
    url: str
    md5: str


def dataset_root(data: DataConfig) -> Path:
    """`data.root`, else `datasets` in the store's directory or the cache directory."""
    if data.root is not None:
        return Path(data.root).expanduser().absolute()
    if data.store_dir != "auto":
        return Path(data.store_dir).expanduser().absolute() / "datasets"
    return _cache_directory() / "datasets"


def _cache_directory() -> Path:
    if chosen := os.environ.get("VERNIER_CACHE"):
        return Path(chosen).expanduser().absolute()
    if chosen := os.environ.get("XDG_CACHE_HOME"):
        return Path(chosen) / "vernier"
    return Path.home() / ".cache" / "vernier"


def fetch(files: Sequence[RemoteFile], root: Path, dataset: str, page: str) -> None:
    """Download `files` into `root`, each under a temporary name until its checksum is right.

    Args:
        files: What is missing.
        root: Made when it is not there.
        dataset: The source's name, for messages.
        page: Where a person finds the files.

    Raises:
        DataError: VERNIER_OFFLINE is set, the network fails, or a checksum differs.
    """
    for file in files:
        try:
            _fetch_one(file, root)
        except (OSError, http.client.HTTPException, _Refused) as error:
            names = ", ".join(missing.name for missing in files)
            raise DataError(
                f"data.source={dataset}: not found in {root}, and the download failed: {error}. "
                f"Get {names} from {page}, put it in {root}, or set data.root to where it lies"
            ) from None


class _Refused(Exception):
    """A download that must not happen or whose content is not what was published."""


def _fetch_one(file: RemoteFile, root: Path) -> None:
    if os.environ.get("VERNIER_OFFLINE", "") not in ("", "0"):
        raise _Refused("VERNIER_OFFLINE is set")
    _logger.info("downloading %s to %s", file.url, root)
    root.mkdir(parents=True, exist_ok=True)
    temporary = root / f".{file.name}.{os.getpid()}.part"
    try:
        with temporary.open("wb") as target:
            digest = _stream(file.url, target)
        if digest != file.md5:
            raise _Refused(f"{file.url} has the MD5 {digest}, published is {file.md5}")
        temporary.replace(root / file.name)
    finally:
        temporary.unlink(missing_ok=True)


def _stream(url: str, target: BinaryIO) -> str:
    """Copy what the URL holds into an open file; returns its MD5 in hex."""
    digest = hashlib.md5(usedforsecurity=False)
    with urllib.request.urlopen(url, timeout=_TIMEOUT) as response:
        while chunk := response.read(_CHUNK):
            digest.update(chunk)
            target.write(chunk)
    return digest.hexdigest()


def unpack(archive: Path, folder: str) -> Path:
    """Unpack the directory `folder` of a .tar.gz archive beside it, whole or not at all.

    Links that lead out of the archive, devices and absolute paths are refused (tarfile's `data` filter).

    Raises:
        DataError: the archive is damaged, lacks the directory, or can't be unpacked there.
    """
    target = archive.parent / folder
    try:
        with tempfile.TemporaryDirectory(prefix=".unpack-", dir=archive.parent) as temporary:
            with tarfile.open(archive, "r:gz") as tar:
                tar.extractall(temporary, filter="data")
            (Path(temporary) / folder).rename(target)
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        raise DataError(
            f"{archive}: can't be unpacked: {error}. Get it again, or unpack {folder}/ yourself and set data.root to it"
        ) from None
    return target
