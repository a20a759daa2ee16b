"""Sets of shards in a directory here."""

import logging
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, final

from vernier.config.data import DataConfig
from vernier.data.shards.entry import Shard, ShardSet
from vernier.data.shards.info import INFO_FILE, DatasetInfo, read_info
from vernier.data.shards.scan_memory import Scan, remembered_scan, scan_key
from vernier.data.shards.shard_names import is_shard, is_tar, shard_splits
from vernier.data.shards.tar import scan_tar
from vernier.data.shards.tfrecord_scan import scan_tfrecord
from vernier.data.store_directory import store_directory
from vernier.data.wording import listed
from vernier.errors import DataError

_logger = logging.getLogger(__name__)
_WORTH_SAYING: Final = 1_000_000_000
_NUMBERED: Final = re.compile(r"(?:class )?(\d{1,18})")


def is_shard_set(path: Path) -> bool:
    """Whether a path is a shard, or a directory of shards: one with a `dataset_info.yaml`, or without folders."""
    if path.is_file():
        return is_shard(path.name)
    if (path / INFO_FILE).is_file():
        return True
    try:
        entries = [entry for entry in os.scandir(path) if not entry.name.startswith(".")]
    except OSError:
        return False
    return any(is_shard(entry.name) for entry in entries) and not any(entry.is_dir() for entry in entries)


@final
@dataclass(frozen=True)
class Loss:
    """What is damaged and left out: a sentence for each damage, and how many images are missing at least."""

    sentences: tuple[str, ...] = ()
    images: int = 0

    def __add__(self, other: "Loss") -> "Loss":
        return Loss(self.sentences + other.sentences, self.images + other.images)


def scan_local_set(path: Path, data: DataConfig, key: str) -> tuple[ShardSet, Loss]:
    """The set of shards at `path`, and what of it is damaged and left out.

    Shards are read in whole, several at once, the first time; what was found is remembered in `data.store_dir`.

    Args:
        path: Absolute; a directory, or one shard.
        data: `records` says what to read, `train_split` and `val_split` which splits are meant.
        key: The config key that named it, for messages.

    Raises:
        DataError: no shards; a shard that is missing, can't be read or whose records are none of images and labels;
            numbers of images that are not those of `dataset_info.yaml`.
    """
    root = path if path.is_dir() else path.parent
    info = read_info(root) if path.is_dir() else None
    splits = _named_splits(info, root) if info else _found_splits(path, data, key)
    class_names = info.class_names if info else ()
    scans = _scan_all([root / file for file in splits], class_names, data)
    shards = tuple(Shard(file, split, scan.entries) for (file, split), scan in zip(splits.items(), scans, strict=True))
    damage = tuple(sentence for scan in scans for sentence in scan.damage)
    missing = _missing(info, shards) if info else {}
    if info and not damage and any(missing.values()):
        _refuse_other_counts(info, missing, root)
    labels = {entry.labels for shard in shards for entry in shard.entries}
    names = class_names or class_order({name for combination in labels for name in combination})
    multilabel = info.multilabel if info else False
    multilabel = multilabel or any(len(combination) > 1 for combination in labels)
    lost = max(len(damage), sum(max(0, count) for count in missing.values())) if damage else 0
    name = info.name if info else path.name.split(".")[0]
    channels, native_size = (info.channels, info.native_size) if info else (None, None)
    return ShardSet(str(root), name, shards, names, multilabel, channels, native_size), Loss(damage, lost)


def class_order(names: set[str]) -> tuple[str, ...]:
    """Classes in the order of their numbers where these are their names, else of the alphabet."""
    numbers = {name: match for name in names if (match := _NUMBERED.fullmatch(name))}
    if len(numbers) < len(names):
        return tuple(sorted(names))
    return tuple(sorted(names, key=lambda name: (int(numbers[name][1]), name)))


def _named_splits(info: DatasetInfo, root: Path) -> dict[str, str]:
    """The split of each file that `dataset_info.yaml` lists."""
    if info.format == "store":
        raise DataError(f"{root / INFO_FILE}: the set is a decoded store, not shards")
    splits = {file: name for name, split in info.splits.items() for file in split.files}
    if missing := [file for file in splits if not (root / file).is_file()]:
        raise DataError(
            f"{root}: {INFO_FILE} lists files that are not there: {listed(missing)}. Copy them, or make the set again"
        )
    if not splits:
        raise DataError(f"{root / INFO_FILE}: lists no files. Make the set again with vernier convert")
    return dict(sorted(splits.items()))


def _found_splits(path: Path, data: DataConfig, key: str) -> dict[str, str]:
    """The split of each shard by its name."""
    files = sorted(entry.name for entry in path.iterdir() if is_shard(entry.name)) if path.is_dir() else [path.name]
    if not files:
        raise DataError(f"{key}={path}: no shards (.tfrecord or .tar files) and no {INFO_FILE}; check the path")
    chosen = not {data.train_split, data.val_split} <= {None, "none"}
    return shard_splits(files, chosen)


def _scan_all(paths: Sequence[Path], class_names: tuple[str, ...], data: DataConfig) -> list[Scan]:
    """What the shards hold, scanned in as many threads as there are processors, unless `data.threads` says less."""
    directory = store_directory(data.store_dir) / "shards"
    records = [_record(path, class_names, data, directory) for path in paths]
    _announce([path for path, record in zip(paths, records, strict=True) if not record.exists()])
    threads = data.threads if isinstance(data.threads, int) else os.cpu_count() or 1
    scan = partial(_scan, class_names=class_names, data=data)
    with ThreadPoolExecutor(max(1, min(threads, len(paths))), thread_name_prefix="vernier-scan") as executor:
        try:
            return list(executor.map(scan, paths, records))
        except BaseException:
            executor.shutdown(cancel_futures=True)
            raise


def _record(path: Path, class_names: tuple[str, ...], data: DataConfig, directory: Path) -> Path:
    """Where the scan of a shard is remembered."""
    try:
        return directory / f"{scan_key(path, data.records, class_names)}.json"
    except OSError as error:
        raise DataError(f"{path}: can't be read: {error.strerror}") from None


def _announce(paths: Sequence[Path]) -> None:
    """Say what is about to be read, unless it is little."""
    total = sum(path.stat().st_size for path in paths)
    if total >= _WORTH_SAYING:
        _logger.info("reading %d shards, %.1f GB, to find their images; this is remembered", len(paths), total / 1e9)


def _scan(path: Path, record: Path, class_names: tuple[str, ...], data: DataConfig) -> Scan:
    read = _scan_tar if is_tar(path.name) else _scan_tfrecord
    return remembered_scan(record, partial(read, path, class_names, data))


def _scan_tfrecord(path: Path, class_names: tuple[str, ...], data: DataConfig) -> Scan:
    damage: list[str] = []
    entries = scan_tfrecord(path, data.records, class_names, on_damage=damage.append)
    return Scan(entries, tuple(damage))


def _scan_tar(path: Path, class_names: tuple[str, ...], data: DataConfig) -> Scan:
    return Scan(scan_tar(path, class_names or None, data.records), ())


def _missing(info: DatasetInfo, shards: Sequence[Shard]) -> dict[str, int]:
    """How many images fewer each split has than `dataset_info.yaml` says, where it can be trusted."""
    found = Counter[str]()
    for shard in shards:
        found[shard.split] += len(shard.entries)
    said = {name: split.num_examples for name, split in info.splits.items()}
    return {name: count - found[name] for name, count in said.items() if count is not None}


def _refuse_other_counts(info: DatasetInfo, missing: Mapping[str, int], root: Path) -> None:
    name = next(name for name, count in missing.items() if count)
    said = info.splits[name].num_examples or 0
    raise DataError(
        f"{root}: {INFO_FILE} says that {name} has {said} images, its files have {said - missing[name]}. "
        "Some are of another set: copy them all again, or make the set again with vernier convert"
    )
