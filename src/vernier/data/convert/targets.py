"""The formats of a set: what its files are called, what they hold and how they are written."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import final

from vernier.config.data import RecordsConfig
from vernier.data.convert.pictures import Picture, PictureFiles, PicturePixels
from vernier.data.convert.settings import ConvertSettings
from vernier.data.images import Images
from vernier.data.shards.entry import Entry
from vernier.data.shards.index_file import index_text
from vernier.data.shards.pixels import PixelWriter, pixel_index_text
from vernier.data.shards.tar import TarWriter
from vernier.data.shards.tfrecord import TFRecordWriter
from vernier.data.shards.writer import ShardWriter


class Target(ABC):
    """A format. `picture` may be called from several threads."""

    chunk = 1
    """Pictures that a thread makes at once."""

    @abstractmethod
    def shard_name(self, split: str, number: int) -> str:
        """What a split's shard is called."""

    @abstractmethod
    def picture(self, position: int) -> Picture:
        """The image at a position of the source, as it goes into the set.

        Raises:
            ImageError: it can't be read.
        """

    @abstractmethod
    def open(self, path: Path) -> ShardWriter:
        """A new shard."""

    def index(self, entries: Sequence[Entry], sizes: Sequence[tuple[int, int]], shard_bytes: int) -> str:
        """What lies where in a shard, as text; `sizes` are heights and widths."""
        return index_text(entries, shard_bytes)


class _EncodedTarget(Target):
    """Formats that hold image files."""

    def __init__(self, images: Images, settings: ConvertSettings) -> None:
        self._files = PictureFiles(images, settings)
        self.chunk = 8 if settings.preprocessing == "NO" else 1

    def picture(self, position: int) -> Picture:
        """See `Target.picture`."""
        return self._files.make(position)


@final
class TFRecordTarget(_EncodedTarget):
    """TFRecord files of `tf.train.Example`."""

    def shard_name(self, split: str, number: int) -> str:
        """As the UpStride API calls them."""
        return f"{split}_{number}.tfrecord"

    def open(self, path: Path) -> ShardWriter:
        """See `Target.open`."""
        return TFRecordWriter(path, RecordsConfig())


@final
class WebDatasetTarget(_EncodedTarget):
    """Tar shards."""

    def __init__(self, images: Images, settings: ConvertSettings, multilabel: bool) -> None:
        super().__init__(images, settings)
        self._multilabel = multilabel

    def shard_name(self, split: str, number: int) -> str:
        """As WebDataset calls them."""
        return f"{split}-{number:06d}.tar"

    def open(self, path: Path) -> ShardWriter:
        """See `Target.open`."""
        return TarWriter(path, self._multilabel)


@final
class StoreTarget(Target):
    """Pixels, one file a split."""

    def __init__(self, images: Images, settings: ConvertSettings) -> None:
        self._pixels, self._channels = PicturePixels(images, settings), images.channels

    def shard_name(self, split: str, number: int) -> str:
        """One file a split."""
        return f"{split}.pixels"

    def picture(self, position: int) -> Picture:
        """See `Target.picture`."""
        return self._pixels.make(position)

    def open(self, path: Path) -> ShardWriter:
        """See `Target.open`."""
        return PixelWriter(path)

    def index(self, entries: Sequence[Entry], sizes: Sequence[tuple[int, int]], shard_bytes: int) -> str:
        """See `Target.index`."""
        return pixel_index_text(entries, sizes, self._channels, shard_bytes)


def make_target(images: Images, multilabel: bool, settings: ConvertSettings) -> Target:
    """The target of `settings.format`."""
    if settings.format == "tfrecord":
        return TFRecordTarget(images, settings)
    if settings.format == "webdataset":
        return WebDatasetTarget(images, settings, multilabel)
    return StoreTarget(images, settings)
