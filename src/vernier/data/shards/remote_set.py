"""Sets of shards behind URLs."""

import hashlib
import json
import logging
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, final
from urllib.parse import unquote, urlsplit

from vernier.atomic import write_text_atomically
from vernier.config.data import DataConfig
from vernier.data.shards.entry import Entry, Shard, ShardSet
from vernier.data.shards.index_file import SUFFIX, index_text, read_index
from vernier.data.shards.info import INFO_FILE, parse_info
from vernier.data.shards.local import class_order
from vernier.data.shards.remote import RemoteShards
from vernier.data.shards.shard_names import is_shard, is_tar, shard_splits
from vernier.data.shards.tar import scan_tar
from vernier.data.shards.tfrecord_scan import scan_tfrecord
from vernier.data.shards.transfer import fetch, fetch_text
from vernier.data.shards.url import NotServed, beside, expanded, refuse_offline, with_ending
from vernier.data.store_directory import store_directory
from vernier.errors import DataError

_REQUESTS_AT_ONCE: Final = 8
_logger = logging.getLogger(__name__)


def open_remote_set(url: str, data: DataConfig, key: str) -> tuple[ShardSet, RemoteShards]:
    """What is in a set of shards behind a URL, and what reads it; images stay where they are.

    Args:
        url: Of a directory with a `dataset_info.yaml`, of a shard, or a pattern of shards such as
            `http://host/train-{000000..000127}.tar`.
        data: How to read records, how patient to be, where to keep things.
        key: The config key that named it, for messages.

    Raises:
        DataError: the network is forbidden or fails, there is no such set, or it is damaged.
    """
    refuse_offline(url, key)
    is_directory = len(expanded(url)) == 1 and not is_shard(_file(url))
    named = _named_set(url, data, key) if is_directory else _found_set(url, data)
    directory = store_directory(data.store_dir)
    read = partial(_read_index, named=named, data=data, directory=directory / "shards")
    with ThreadPoolExecutor(_REQUESTS_AT_ONCE, "vernier-index") as pool:
        indexes = list(pool.map(read, named.urls))
    shards = tuple(
        Shard(_file(shard), named.splits[shard], entries)
        for shard, (entries, _) in zip(named.urls, indexes, strict=True)
    )
    labels = {entry.labels for shard in shards for entry in shard.entries}
    class_names = named.class_names or class_order({name for several in labels for name in several})
    multilabel = named.multilabel or any(len(several) > 1 for several in labels)
    reader = RemoteShards(named.urls, [size for _, size in indexes], data.stream, directory)
    channels, native_size = named.channels, named.native_size
    return ShardSet(url, named.name, shards, class_names, multilabel, channels, native_size), reader


@final
@dataclass(frozen=True)
class _NamedSet:
    """The shards of a set before anything is known of their content: the split of each, by its URL."""

    name: str
    splits: dict[str, str]
    class_names: tuple[str, ...]
    multilabel: bool
    channels: int | None = None
    native_size: tuple[int, int] | None = None

    @property
    def urls(self) -> tuple[str, ...]:
        return tuple(self.splits)


def _named_set(url: str, data: DataConfig, key: str) -> _NamedSet:
    where = beside(url, INFO_FILE)
    try:
        info = parse_info(fetch_text(where, data.stream), where)
    except NotServed as error:
        raise DataError(
            f"{key}={url}: no set of shards: {error}. Make one with vernier convert, or name the shards themselves: "
            f"{url.rstrip('/')}/train-{{000000..000009}}.tar"
        ) from None
    if info.format == "store":
        raise DataError(f"{where}: the set is a decoded store, not shards; copy it here, or convert to webdataset")
    splits = {beside(url, file): name for name, split in info.splits.items() for file in split.files}
    if not splits:
        raise DataError(f"{where}: lists no files. Make the set again with vernier convert")
    ordered = dict(sorted(splits.items()))
    return _NamedSet(info.name, ordered, info.class_names, info.multilabel, info.channels, info.native_size)


def _found_set(url: str, data: DataConfig) -> _NamedSet:
    urls = expanded(url)
    chosen = not {data.train_split, data.val_split} <= {None, "none"}
    by_file = shard_splits([_file(shard) for shard in urls], chosen)
    name = urlsplit(url).path.rstrip("/").split("/")[-2] or "shards"
    return _NamedSet(unquote(name), {shard: by_file[_file(shard)] for shard in sorted(urls)}, (), False)


def _file(url: str) -> str:
    return unquote(urlsplit(url).path.rpartition("/")[2])


def _read_index(url: str, named: _NamedSet, data: DataConfig, directory: Path) -> tuple[tuple[Entry, ...], int]:
    """What lies where in a shard, and its size: by the file beside it, else by a look at the whole shard."""
    index = with_ending(url, SUFFIX)
    try:
        return read_index(fetch_text(index, data.stream), index)
    except NotServed:
        pass
    record = directory / f"{_record_name(url, named.class_names, data)}{SUFFIX}"
    try:
        return read_index(record.read_text(encoding="utf-8"), str(record))
    except (OSError, DataError, UnicodeDecodeError):
        # Whatever is wrong with the record, the shard is read again.
        _logger.info("%s: has no index beside it; reading the shard once to make one", url)
    return _scan(url, named.class_names, data, record)


def _scan(url: str, class_names: Sequence[str], data: DataConfig, record: Path) -> tuple[tuple[Entry, ...], int]:
    with tempfile.TemporaryDirectory(prefix="vernier-shard-") as temporary:
        path = Path(temporary) / _file(url)
        with path.open("wb") as file:
            fetch(url, file, data.stream)
        size = path.stat().st_size
        try:
            entries = _entries(path, class_names, data)
        except DataError as error:
            raise DataError(str(error).replace(str(path), url)) from None
    record.parent.mkdir(parents=True, exist_ok=True)
    write_text_atomically(record, index_text(entries, size))
    return entries, size


def _entries(path: Path, class_names: Sequence[str], data: DataConfig) -> tuple[Entry, ...]:
    if is_tar(path.name):
        return scan_tar(path, class_names or None, data.records)
    return scan_tfrecord(path, data.records, class_names)


def _record_name(url: str, class_names: Sequence[str], data: DataConfig) -> str:
    parts = [url, data.records.model_dump(), list(class_names)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
