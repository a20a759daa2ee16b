"""What is in shards: image files one after the other, each a run of bytes."""

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, slots=True)
class Entry:
    """One image in a shard: the bytes of its file lie at `offset`, `length` of them.

    Attributes:
        key: A name that is unique in the set, such as the path of the file that it was made from.
        labels: Names of its classes; one, unless the set is multilabel.
    """

    key: str
    labels: tuple[str, ...]
    offset: int
    length: int


@final
@dataclass(frozen=True)
class Shard:
    """One file of a set.

    Attributes:
        file: Its name, relative to the set's root.
        split: As the set names it; empty where it does not say.
        entries: In the order of the file.
    """

    file: str
    split: str
    entries: tuple[Entry, ...]


@final
@dataclass(frozen=True)
class ShardSet:
    """All shards of a set.

    Attributes:
        root: The directory, as a path or a URL.
        name: Of the set.
        shards: In the order of their names.
        class_names: All classes, in the order that the set gives them, else sorted.
        multilabel: Whether an image may have several labels, or none.
        channels: Of the images, where the set says so.
        native_size: Height and width when all images are of one small size by design, else None.
    """

    root: str
    name: str
    shards: tuple[Shard, ...]
    class_names: tuple[str, ...]
    multilabel: bool
    channels: int | None = None
    native_size: tuple[int, int] | None = None
