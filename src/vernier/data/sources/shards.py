"""Shards: TFRecord files or tar files, each with many images in it."""

import logging
import os
import os.path
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from vernier.config.data import DataConfig, RecordsConfig
from vernier.data.shards.entry import Shard, ShardSet
from vernier.data.shards.images import LocalShards, ShardImages, ShardReader
from vernier.data.shards.local import Loss, class_order, scan_local_set
from vernier.data.source import Source
from vernier.data.sources.folders import absolute
from vernier.data.sources.listing import ListedFile, Listing, make_source
from vernier.data.wording import counted, did_you_mean, listed
from vernier.errors import ConfigProblem, DataError

_SHOWN = 20
_logger = logging.getLogger(__name__)


def list_shards(path: Path, data: DataConfig, key: str) -> Source:
    """The images in the shards of a directory, or in one shard.

    Args:
        path: The directory or shard.
        data: Which splits and classes to use, and how to read records.
        key: The config key that named it, for messages.

    Raises:
        DataError: see `scan_local_set` and `source_from_shards`; damaged records, unless they are to be skipped.
    """
    shards, damage = scan_local_set(absolute(path), data, key)
    return _local_source(shards, damage, data)


def list_shard_parts(parts: Mapping[str, Path], data: DataConfig) -> Source:
    """The images of sets of shards that are each one split; `parts` has their paths by the split's name.

    Keys begin with the path from the directory that all sets are in.

    Raises:
        DataError: as `list_shards`; a set with several splits of its own.
    """
    scanned = {split: scan_local_set(absolute(path), data, f"data.{split}") for split, path in parts.items()}
    damage = sum((loss for _, loss in scanned.values()), Loss())
    merged = _merged({split: shards for split, (shards, _) in scanned.items()})
    return _local_source(merged, damage, data)


def records_problems(data: DataConfig, has_shards: bool) -> list[ConfigProblem]:
    """Settings of records, if it is not shards that are read."""
    if has_shards:
        return []
    default = RecordsConfig()
    given = [name for name in RecordsConfig.model_fields if getattr(data.records, name) != getattr(default, name)]
    return [
        ConfigProblem(f"data.records.{name}", "goes with TFRecord files and tar shards; leave it out") for name in given
    ]


def source_from_shards(shards: ShardSet, reader: ShardReader, data: DataConfig, damaged: int = 0) -> Source:
    """The source of the images whose split and class are used, sorted by key.

    Args:
        shards: What there is.
        reader: Reads from these shards, numbered in the same order.
        data: Which splits and classes to use.
        damaged: Records that were left out.

    Raises:
        DataError: a key that occurs twice, a label that is no class of the set, an image with no label or several in a
            set that is not multilabel, and what `make_source` raises.
    """
    _refuse_unknown_labels(shards)
    places = _places(shards)
    files = tuple(
        ListedFile(entry.key, entry.labels, shard.split) for shard in shards.shards for entry in shard.entries
    )
    multilabel = shards.multilabel and data.task in ("auto", "multilabel")
    if not multilabel and data.task != "multilabel":
        _refuse_other_than_one_label(shards)
    skipped = {"damaged in its shard": damaged} if damaged else {}
    root, names = Path(shards.root), shards.class_names
    listing = Listing(shards.name, root, files, names, multilabel, skipped, shards.channels, shards.native_size)

    def images(keys: Sequence[str], channels: int) -> ShardImages:
        rows = [places[key] for key in keys]
        numbers, offsets, lengths = np.array(rows, np.int64).reshape(len(rows), 3).T
        return ShardImages(reader, keys, numbers, offsets, lengths, channels, data.max_pixels, data.value_range)

    return make_source(listing, data, images, None)


def _local_source(shards: ShardSet, loss: Loss, data: DataConfig) -> Source:
    _judge(shards.root, loss, data)
    reader = LocalShards([Path(shards.root) / shard.file for shard in shards.shards])
    return source_from_shards(shards, reader, data, loss.images)


def _judge(root: str, loss: Loss, data: DataConfig) -> None:
    """Damaged records stop the training or are listed in the log, as `data.on_bad_image` says."""
    if not loss.sentences:
        return
    places, more = counted(len(loss.sentences), "damaged place"), len(loss.sentences) - _SHOWN
    lines = "".join(f"\n  {sentence}" for sentence in loss.sentences[:_SHOWN])
    lines += f"\n  and {more} more" if more > 0 else ""
    images = counted(loss.images, "image")
    if data.on_bad_image == "error":
        raise DataError(
            f"{root}: {places} in the records, {images} lost at least:{lines}\n"
            "Get the files again, or leave these images out with data.on_bad_image=skip."
        )
    _logger.warning("%s: %s in the records; left out: %s at least%s", root, places, images, lines)


def _refuse_unknown_labels(shards: ShardSet) -> None:
    labels = {entry.labels for shard in shards.shards for entry in shard.entries}
    if unknown := sorted({name for names in labels for name in names} - set(shards.class_names)):
        raise DataError(
            f"{shards.root}: labels that are no classes of the set: {listed(unknown)}."
            f"{did_you_mean(unknown[0], shards.class_names)} There are: {listed(shards.class_names)}. "
            "Mend class_names in dataset_info.yaml, or make the set again with vernier convert"
        )


def _places(shards: ShardSet) -> dict[str, tuple[int, int, int]]:
    """Number of the shard, offset and length, by key."""
    places: dict[str, tuple[int, int, int]] = {}
    twice: list[str] = []
    for number, shard in enumerate(shards.shards):
        for entry in shard.entries:
            if entry.key in places:
                first = shards.shards[places[entry.key][0]].file
                twice.append(f"'{entry.key}' ({first}, {shard.file})")
            places[entry.key] = (number, entry.offset, entry.length)
    if twice:
        raise DataError(
            f"{shards.root}: images with the same key: {listed(twice)}. Keys tell images apart: remove files that are "
            "there twice, or name another feature with data.records.key (where there is none, file and number stand in)"
        )
    return places


def _refuse_other_than_one_label(shards: ShardSet) -> None:
    for shard in shards.shards:
        for entry in shard.entries:
            if len(entry.labels) != 1:
                how_many = f"{len(entry.labels)} labels" if entry.labels else "no label"
                raise DataError(
                    f"{Path(shards.root) / shard.file}: '{entry.key}' has {how_many}; an image has one, unless "
                    "data.task=multilabel"
                )


def _merged(sets: Mapping[str, ShardSet]) -> ShardSet:
    """One set below the directory that all are in; each set's images get the split by whose name it is given."""
    root = os.path.commonpath([shards.root for shards in sets.values()])
    first = next(iter(sets.values()))
    names = {shards.class_names for shards in sets.values()}
    return ShardSet(
        root,
        Path(first.root).parent.name if first.name.casefold() in sets else first.name,
        tuple(shard for split, shards in sets.items() for shard in _rebased(shards, root, split)),
        names.pop() if len(names) == 1 else class_order({name for one in names for name in one}),
        any(shards.multilabel for shards in sets.values()),
        first.channels,
        first.native_size,
    )


def _rebased(shards: ShardSet, root: str, split: str) -> list[Shard]:
    own = sorted({shard.split for shard in shards.shards})
    if len(own) > 1:
        raise DataError(
            f"data.{split}: {shards.root} has splits of its own: {listed(own)}; write data.source={shards.root} "
            "instead, or give one shard"
        )
    prefix = os.path.relpath(shards.root, root)

    def below(name: str) -> str:
        return os.path.normpath(f"{prefix}/{name}").replace(os.sep, "/")

    return [
        Shard(below(shard.file), split, tuple(replace(entry, key=below(entry.key)) for entry in shard.entries))
        for shard in shards.shards
    ]
