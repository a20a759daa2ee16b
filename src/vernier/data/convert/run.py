"""A conversion from start to end."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

import numpy as np

from vernier.atomic import remedy
from vernier.config.data import DataConfig
from vernier.data.convert.conversion import Conversion, SkippedImage, SplitFiles, read_result
from vernier.data.convert.dealing import deal
from vernier.data.convert.existing import ExistingSet, check_addition, find_existing, refuse_existing
from vernier.data.convert.output import add_files, put_in_place, remove_files, staging_directory
from vernier.data.convert.record import PastConversion, describe_request, write_record
from vernier.data.convert.settings import SHARD_SIZE, ConvertSettings, check_settings
from vernier.data.convert.splits import choose_splits
from vernier.data.convert.targets import Target, make_target
from vernier.data.convert.writing import Progress, SetWriter, ShardPlan, WrittenShard
from vernier.data.shards.index_file import SUFFIX
from vernier.data.shards.info import DatasetInfo, SplitInfo, write_info
from vernier.data.source import Source
from vernier.errors import DataError

_logger = logging.getLogger(__name__)


def convert_source(
    source: Source,
    data: DataConfig,
    settings: ConvertSettings,
    out: Path,
    *,
    add: bool,
    threads: int,
    progress: Progress,
) -> Conversion:
    """Write a set into `out`, which appears when it is finished.

    Args:
        source: The images.
        data: What the source was opened with.
        settings: What is asked for.
        out: A directory that is not there yet; or, to `add` splits, one with a set of the same name.
        add: Whether to add splits to a set.
        threads: That make pictures; 0 makes them in the caller's.
        progress: Hears how far it is.

    Raises:
        ConfigError: settings that can't be.
        DataError: `out` holds something else; no image can be read; the disk won't do. Nothing is left behind.
    """
    check_settings(settings)
    _refuse_inside(out, data)
    started = time.monotonic()
    settings = replace(settings, name=settings.name or source.name)
    request = describe_request(source, data, settings)
    existing = find_existing(out)
    if existing is not None and (past := existing.find(request)) is not None:
        return _done_before(existing, past, settings)
    if existing is not None and not add:
        refuse_existing(existing, str(settings.name), request)
    job = _Job(source, settings, out, existing, choose_splits(source, data.split, settings), request)
    try:
        return job.run(threads, progress, started)
    except OSError as error:
        raise DataError(f"{out}: not written: {error.strerror or error}. {remedy(error)}") from error


@final
@dataclass(frozen=True)
class _Job:
    """What is to be written, and where to."""

    source: Source
    settings: ConvertSettings
    out: Path
    existing: ExistingSet | None
    splits: Mapping[str, np.ndarray]
    request: Mapping[str, Any]

    def run(self, threads: int, progress: Progress, started: float) -> Conversion:
        keys = self._keys()
        target = make_target(self.source.images, self.source.multilabel, self.settings)
        with staging_directory(self.out) as staged:
            writer = SetWriter(staged, self.source, keys, target, threads, progress)
            written, skipped = writer.write(self._plans(target))
            splits = _split_files(written, skipped)
            seconds = time.monotonic() - started
            name, format_ = str(self.settings.name), self.settings.format
            classes = self.source.class_names
            conversion = Conversion(self.out, name, format_, classes, splits, skipped, seconds, already_done=False)
            self._finish(staged, conversion)
        return conversion

    def _keys(self) -> list[str]:
        """Of all images; they begin with the split where some of them are in the set already."""
        keys = self.source.keys()
        if self.existing is None:
            return keys
        check_addition(self.existing, self._info({name: SplitInfo((), None) for name in self.splits}))
        there = self.existing.keys()
        if not any(key in there for key in keys):
            return keys
        _logger.info("some images are called like images of the set: keys of the new ones begin with their split")
        for split, positions in self.splits.items():
            for position in positions.tolist():
                keys[position] = f"{split}/{keys[position]}"
        if both := [key for key in keys if key in there]:
            raise DataError(f"{self.out}: --add: the set has an image {both[0]!r} already; name the split otherwise")
        return keys

    def _plans(self, target: Target) -> list[ShardPlan]:
        return [
            ShardPlan(target.shard_name(split, number), split, hand)
            for split, positions in self.splits.items()
            for number, hand in enumerate(self._hands(positions))
        ]

    def _hands(self, positions: np.ndarray) -> list[np.ndarray]:
        """The positions in each shard of a split."""
        if self.settings.format == "store":
            return [positions]
        shards = self.settings.num_shards or -(-len(positions) // (self.settings.shard_size or SHARD_SIZE))
        keys = [self.source.images.key(position) for position in positions.tolist()]
        hands = deal(keys, self.source.targets[positions], shards, self.settings.seed)
        return [positions[hand] for hand in hands]

    def _info(self, splits: Mapping[str, SplitInfo]) -> DatasetInfo:
        settings, source = self.settings, self.source
        return DatasetInfo(
            str(settings.name),
            settings.description,
            settings.format,
            source.class_names,
            source.multilabel,
            splits,
            source.images.channels,
            source.native_size if settings.preprocessing == "NO" else None,
        )

    def _finish(self, staged: Path, conversion: Conversion) -> None:
        """Put the files into their place; `dataset_info.yaml` names them last."""
        past = PastConversion(self.request, conversion.result())
        info = self._info({name: SplitInfo(s.files, s.num_examples) for name, s in conversion.splits.items()})
        if self.existing is None:
            write_record(staged, [past])
            write_info(staged, info)
            put_in_place(staged, self.out)
            return
        files = [name for s in info.splits.values() for file in s.files for name in (file, f"{file}{SUFFIX}")]
        add_files(staged, self.out, files)
        try:
            there = self.existing.info
            write_info(self.out, replace(there, splits={**there.splits, **info.splits}))
        except BaseException:
            remove_files(self.out, files)
            raise
        write_record(self.out, [*self.existing.past, past])


def _refuse_inside(out: Path, data: DataConfig) -> None:
    directory = Path(data.source or "").expanduser().resolve()
    if data.source is not None and directory.is_dir() and directory in out.expanduser().resolve().parents:
        raise DataError(
            f"{out}: lies in the source, {directory}, and would become a part of it; name a place elsewhere"
        )


def _done_before(existing: ExistingSet, past: PastConversion, settings: ConvertSettings) -> Conversion:
    splits, skipped = read_result(past.result)
    info = existing.info
    return Conversion(existing.directory, info.name, settings.format, info.class_names, splits, skipped, 0.0, True)


def _split_files(written: Sequence[WrittenShard], skipped: Sequence[SkippedImage]) -> dict[str, SplitFiles]:
    if not written:
        reasons = "".join(f"\n  {image.path}: {image.reason}" for image in skipped[:20])
        raise DataError(f"none of the {len(skipped)} images can be read:{reasons}")
    splits: dict[str, list[WrittenShard]] = {}
    for shard in written:
        splits.setdefault(shard.plan.split, []).append(shard)
    return {
        name: SplitFiles(
            tuple(shard.plan.file for shard in shards),
            sum(shard.num_examples for shard in shards),
            sum(shard.bytes for shard in shards),
        )
        for name, shards in splits.items()
    }
