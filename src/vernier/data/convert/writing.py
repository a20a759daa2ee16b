"""The shards of a set, written one after the other while threads make the pictures."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

import numpy as np

from vernier.data.convert.conversion import SkippedImage
from vernier.data.convert.ordered import map_in_order
from vernier.data.convert.pictures import Picture
from vernier.data.convert.targets import Target
from vernier.data.images import ImageError
from vernier.data.shards.entry import Entry
from vernier.data.shards.index_file import SUFFIX
from vernier.data.shards.writer import ImageRecord
from vernier.data.source import Source

Progress = Callable[[int, int], None]
"""Called with (images done, images in all)."""

_REPORTED: Final = 32
_Made = tuple[int, Picture | SkippedImage]


@final
@dataclass(frozen=True)
class ShardPlan:
    """A shard to be written: its file's name, its split, and the positions of its images in their order."""

    file: str
    split: str
    positions: np.ndarray


@final
@dataclass(frozen=True)
class WrittenShard:
    """A shard that was written; one without images is not there."""

    plan: ShardPlan
    num_examples: int
    bytes: int


@final
@dataclass(frozen=True)
class SetWriter:
    """Writes shards into a directory.

    Attributes:
        directory: Where to.
        source: What from.
        keys: Of each image of the source, as it is called in the set.
        target: The format.
        threads: That make pictures; 0 makes them in the caller's.
        progress: Hears how far it is.
    """

    directory: Path
    source: Source
    keys: Sequence[str]
    target: Target
    threads: int
    progress: Progress

    def write(self, plans: Sequence[ShardPlan]) -> tuple[list[WrittenShard], tuple[SkippedImage, ...]]:
        """Write the shards in their order, and what could not be read.

        Raises:
            OSError: the disk won't do.
        """
        positions = [position for plan in plans for position in plan.positions.tolist()]
        skipped: list[SkippedImage] = []
        made = self._reported(map_in_order(self._make, positions, self.threads, self.target.chunk), len(positions))
        written = [self._write_shard(plan, made, skipped) for plan in plans]
        return [shard for shard in written if shard.num_examples], tuple(skipped)

    def _make(self, position: int) -> _Made:
        try:
            return position, self.target.picture(position)
        except ImageError as error:
            return position, SkippedImage(error.path, error.reason)

    def _reported(self, made: Iterator[_Made], total: int) -> Iterator[_Made]:
        for done, item in enumerate(made, start=1):
            if done % _REPORTED == 0 or done == total:
                self.progress(done, total)
            yield item

    def _write_shard(self, plan: ShardPlan, made: Iterator[_Made], skipped: list[SkippedImage]) -> WrittenShard:
        path = self.directory / plan.file
        entries: list[Entry] = []
        sizes: list[tuple[int, int]] = []
        writer = self.target.open(path)
        try:
            for _ in plan.positions:
                position, picture = next(made)
                if isinstance(picture, SkippedImage):
                    skipped.append(picture)
                    continue
                entries.append(writer.add(self._record(position, picture)))
                sizes.append(picture.size)
            size = writer.close() if entries else 0
        except BaseException:
            writer.abandon()
            raise
        if not entries:
            writer.abandon()
        else:
            index = self.target.index(entries, sizes, size)
            path.with_name(f"{path.name}{SUFFIX}").write_bytes(index.encode(errors="surrogateescape"))
        return WrittenShard(plan, len(entries), size)

    def _record(self, position: int, picture: Picture) -> ImageRecord:
        target = self.source.targets[position]
        labels = tuple(np.flatnonzero(target).tolist()) if self.source.multilabel else (int(target),)
        names = tuple(self.source.class_names[label] for label in labels)
        return ImageRecord(self.keys[position], picture.content, picture.suffix, labels, names, picture.size)
