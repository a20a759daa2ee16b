"""What class folders and CSV files have in common: labelled files, turned into a source."""

import os.path
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

import numpy as np

from vernier.config.data import DataConfig
from vernier.data.images import FileImages, Images
from vernier.data.source import Source
from vernier.data.sources.selection import select_classes, split_roles
from vernier.data.splits import check_class_coverage
from vernier.data.wording import listed
from vernier.errors import DataError


@final
@dataclass(frozen=True)
class ListedFile:
    """An image file.

    Attributes:
        key: Its path relative to the listing's root.
        labels: One, unless the listing is multilabel.
        split: As the source names it; empty where it says nothing.
        weight: What its loss is multiplied by; None for 1.
        group: What it belongs to; None for nothing else.
        list_number: Which of `data.lists` it comes from, from 0.
    """

    key: str
    labels: tuple[str, ...]
    split: str
    weight: float | None = None
    group: str | None = None
    list_number: int | None = None


@final
@dataclass(frozen=True)
class Listing:
    """Labelled files under one directory.

    Attributes:
        name: The directory's or the file's stem.
        root: Absolute; the files' keys are relative to it.
        files: In any order.
        class_names: All classes, those without files too, sorted.
        multilabel: Whether a file may have several labels, or none.
        skipped: Why files were left out, and how many.
        channels: Of the images, where that is known.
        native_size: See `Source.native_size`.
    """

    name: str
    root: Path
    files: tuple[ListedFile, ...]
    class_names: tuple[str, ...]
    multilabel: bool
    skipped: Mapping[str, int]
    channels: int | None = None
    native_size: tuple[int, int] | None = None


def merge_listings(listings: Mapping[str, Listing]) -> Listing:
    """One listing under the common parent directory.

    Args:
        listings: By the name of the split that all its files get.

    Raises:
        DataError: a listing brings splits of its own, or a file is in two of them.
    """
    root = Path(os.path.commonpath([listing.root for listing in listings.values()]))
    files = [file for split, listing in listings.items() for file in _rebased(listing, root, split)]
    shared = sorted(key for key, count in Counter(file.key for file in files).items() if count > 1)
    if shared:
        keys = ", ".join(f"data.{split}" for split in listings)
        raise DataError(f"{keys}: the same images are in more than one of them: {listed(shared)}")
    first = next(iter(listings.values()))
    return Listing(
        name=first.root.parent.name if first.name.casefold() in listings else first.name,
        root=root,
        files=tuple(files),
        class_names=tuple(sorted({name for listing in listings.values() for name in listing.class_names})),
        multilabel=any(listing.multilabel for listing in listings.values()),
        skipped=sum((Counter(listing.skipped) for listing in listings.values()), Counter()),
    )


def _rebased(listing: Listing, root: Path, split: str) -> list[ListedFile]:
    if any(file.split for file in listing.files):
        raise DataError(
            f"data.{split}: {listing.name} has a column 'split' of its own; write data.source={listing.name} "
            "instead, or leave the column out"
        )
    prefix = os.path.relpath(listing.root, root).replace(os.sep, "/")
    return [
        replace(file, key=os.path.normpath(f"{prefix}/{file.key}").replace(os.sep, "/"), split=split)
        for file in listing.files
    ]


def source_from_listing(listing: Listing, data: DataConfig) -> Source:
    """The source of the files whose split and class are used, sorted by key.

    Raises:
        DataError: see `make_source`.
    """

    def images(keys: Sequence[str], channels: int) -> FileImages:
        return FileImages(listing.root, keys, channels, data.max_pixels, data.value_range)

    return make_source(listing, data, images, listing.root)


def make_source(
    listing: Listing, data: DataConfig, images: Callable[[Sequence[str], int], Images], root: Path | None
) -> Source:
    """The source of what is listed, where its split and class are used, sorted by key.

    Args:
        listing: Images, in files of their own or not; no key twice.
        data: Which splits and classes to use.
        images: Makes the images from their keys and the number of channels.
        root: Of the source.

    Raises:
        DataError: a class or split that is asked for does not exist, a class without images, fewer than two
            classes, no images at all.
    """
    skipped = Counter(listing.skipped)
    multilabel = listing.multilabel or data.task == "multilabel"
    class_names = select_classes(listing.class_names, data.class_names)
    files = _of_used_splits(listing, data, skipped)
    if not multilabel:
        files = _of_used_classes(files, class_names, skipped)
    _refuse_empty(listing, files, class_names, multilabel)
    files.sort(key=lambda file: file.key)
    targets = _targets(files, class_names, multilabel)
    split = tuple(file.split for file in files)
    check_class_coverage(targets, class_names, np.array(split))
    channels = (listing.channels or 3) if data.channels == "auto" else data.channels
    return Source(
        listing.name,
        images([file.key for file in files], channels),
        targets,
        class_names,
        split,
        dict(+skipped),
        listing.native_size,
        root,
        _weights(files),
        _groups(files),
        _list_numbers(files),
    )


def _of_used_splits(listing: Listing, data: DataConfig, skipped: Counter[str]) -> list[ListedFile]:
    """The files whose split is used, with its name in Vernier's words."""
    roles = split_roles({file.split for file in listing.files}, data, str(listing.root))
    for file in listing.files:
        if file.split not in roles:
            skipped[f"in split '{file.split}', which is not used"] += 1
    return [replace(file, split=roles[file.split]) for file in listing.files if file.split in roles]


def _of_used_classes(
    files: Sequence[ListedFile], class_names: Sequence[str], skipped: Counter[str]
) -> list[ListedFile]:
    wanted = frozenset(class_names)
    used = [file for file in files if file.labels[0] in wanted]
    if len(used) < len(files):
        skipped["of a class that is not in data.class_names"] += len(files) - len(used)
    return used


def _refuse_empty(listing: Listing, files: Sequence[ListedFile], class_names: Sequence[str], multilabel: bool) -> None:
    if not files:
        raise DataError(f"no images in {listing.root}. {_left_out(listing.skipped)}")
    if len(class_names) < 2 and not multilabel:
        raise DataError(
            f"{listing.root}: only one class, '{class_names[0]}'; training needs two or more: one folder a class"
        )
    used = {label for file in files for label in file.labels}
    if empty := [name for name in class_names if name not in used]:
        raise DataError(
            f"no images of {listed([repr(name) for name in empty])} in {listing.root}: add some, remove what is "
            "empty, or choose the classes with data.class_names"
        )


def _left_out(skipped: Mapping[str, int]) -> str:
    if not skipped:
        return "Check the path"
    return "Left out: " + ", ".join(f"{count} {reason}" for reason, count in sorted(skipped.items()))


def _targets(files: Sequence[ListedFile], class_names: Sequence[str], multilabel: bool) -> np.ndarray:
    index = {name: number for number, name in enumerate(class_names)}
    if not multilabel:
        return np.array([index[file.labels[0]] for file in files], dtype=np.int64)
    targets = np.zeros((len(files), len(class_names)), dtype=np.uint8)
    for row, file in zip(targets, files, strict=True):
        row[[index[label] for label in file.labels if label in index]] = 1
    return targets


def _weights(files: Sequence[ListedFile]) -> np.ndarray | None:
    if all(file.weight is None for file in files):
        return None
    return np.array([1.0 if file.weight is None else file.weight for file in files], dtype=np.float32)


def _groups(files: Sequence[ListedFile]) -> tuple[str, ...] | None:
    """Files of no group are groups of their own, told apart by a character that no path has."""
    if all(file.group is None for file in files):
        return None
    return tuple(f"\0{file.key}" if file.group is None else file.group for file in files)


def _list_numbers(files: Sequence[ListedFile]) -> np.ndarray | None:
    if all(file.list_number is None for file in files):
        return None
    return np.array([-1 if file.list_number is None else file.list_number for file in files], dtype=np.int64)
