"""What writes a shard, whatever its format."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

from vernier.data.shards.entry import Entry


@final
@dataclass(frozen=True)
class ImageRecord:
    """One image to be written.

    Attributes:
        key: A name that is unique in the set, such as the path of the file that it comes from.
        content: The bytes of an image file.
        suffix: Of such a file, such as `.jpg`.
        labels: Numbers of its classes.
        class_names: Names of these classes.
        size: Height and width.
    """

    key: str
    content: bytes
    suffix: str
    labels: tuple[int, ...]
    class_names: tuple[str, ...]
    size: tuple[int, int]


class ShardWriter(ABC):
    """Writes one file of a set; it appears whole, or not at all."""

    @abstractmethod
    def add(self, record: ImageRecord) -> Entry:
        """Write an image; where its bytes lie.

        Raises:
            OSError: the disk won't do.
        """

    @abstractmethod
    def close(self) -> int:
        """Finish the file under its name; its size in bytes."""

    @abstractmethod
    def abandon(self) -> None:
        """Leave nothing behind."""
