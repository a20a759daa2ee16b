"""The images that are checked, opened even where training would refuse them."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import final

import numpy as np

from vernier.config.data import DataConfig
from vernier.data.extensions import EXTENSIONS
from vernier.data.images import FileImages, Images
from vernier.data.source import LABEL_SEPARATOR, Source
from vernier.data.sources import BUILT_IN
from vernier.data.sources.folders import absolute, list_class_folders, list_directory
from vernier.data.sources.listing import Listing, merge_listings
from vernier.data.sources.selection import split_roles
from vernier.data.splits import split_source
from vernier.errors import DataError

OpenSource = Callable[[DataConfig], Source]
"""How training opens what `data` names."""

_SPLITS = ("train", "val", "test")
_NOT_IMAGES = frozenset({"csv", "html", "json", "md", "tsv", "txt", "xml", "yaml", "yml"})
"""Files that nobody takes for an image."""


@final
@dataclass(frozen=True)
class Subject:
    """A set of images to check.

    Attributes:
        name: The directory's, the list's or the source's.
        images: N images.
        labels: Of each image as text, several joined by `|`.
        class_names: All classes, those without images too.
        splits: Of each image: train, val, test, or an empty string where the source leaves it to a draw.
        root: The directory that the images' keys are relative to, if they are files.
        not_read: Files that lie among the images and are not read: path -> why.
        left_out: What else a source left out: why -> how many.
        refusal: What training would stop with, or None.
    """

    name: str
    images: Images
    labels: tuple[str, ...]
    class_names: tuple[str, ...]
    splits: tuple[str, ...]
    root: Path | None
    not_read: Mapping[str, str]
    left_out: Mapping[str, int]
    refusal: str | None

    @cached_property
    def label_sets(self) -> list[frozenset[str]]:
        """The labels of each image."""
        if set(self.labels) <= set(self.class_names):
            return [frozenset({label}) for label in self.labels]
        return [frozenset(filter(None, label.split(LABEL_SEPARATOR))) for label in self.labels]


def open_subject(data: DataConfig, open_source: OpenSource) -> Subject:
    """What `data` names, as `open_source` gives it; a directory also where training would refuse it.

    Raises:
        ConfigError, DataError: as `open_source`, for a directory only if it can't be listed.
    """
    directories = _directories(data)
    try:
        source = open_source(data)
    except DataError as error:
        if (listing := _listing(directories, data)) is not None:
            return _from_listing(listing, directories, data, str(error))
        # Damaged records of shards are left out, and counted among the files that are.
        if data.on_bad_image == "skip":
            raise
        lenient = data.model_copy(update={"on_bad_image": "skip"})
        return replace(open_subject(lenient, open_source), refusal=str(error))
    subject = _from_source(source, directories)
    try:
        split = split_source(source, data)
    except DataError as error:
        return replace(subject, refusal=str(error))
    if data.split.file is None:
        return subject
    names = np.full(len(source.images), "", dtype="<U5")
    for name in _SPLITS:
        names[getattr(split, name)] = name
    return replace(subject, splits=tuple(names.tolist()))


def _directories(data: DataConfig) -> dict[str, Path]:
    """The directories that `data` names, by key; none when it names anything else too."""
    named = {key: text for key in ("source", *_SPLITS) if (text := getattr(data, key)) is not None}
    paths = {key: absolute(Path(text)) for key, text in named.items()}
    if data.source in BUILT_IN or data.lists is not None or not all(path.is_dir() for path in paths.values()):
        return {}
    return paths


def _from_source(source: Source, directories: Mapping[str, Path]) -> Subject:
    if directories and source.root is not None and isinstance(source.images, FileImages):
        not_read, left_out = _not_read(directories, source.root, source.keys()), dict[str, int]()
    else:
        not_read, left_out = dict[str, str](), dict(source.skipped)
    return Subject(
        source.name,
        source.images,
        tuple(source.labels()),
        source.class_names,
        source.split,
        source.root,
        not_read,
        left_out,
        None,
    )


def _listing(directories: Mapping[str, Path], data: DataConfig) -> Listing | None:
    """Class folders as they are; None where there are none."""
    try:
        if "source" in directories:
            return list_directory(directories["source"], data, "data.source")
        listings = {key: list_class_folders(path, f"data.{key}") for key, path in directories.items()}
        return merge_listings(listings) if listings else None
    except DataError:
        return None


def _from_listing(listing: Listing, directories: Mapping[str, Path], data: DataConfig, refusal: str) -> Subject:
    roles = split_roles({file.split for file in listing.files}, data, str(listing.root))
    files = sorted((file for file in listing.files if file.split in roles), key=lambda file: file.key)
    keys = [file.key for file in files]
    channels = 3 if data.channels == "auto" else data.channels
    return Subject(
        name=listing.name,
        images=FileImages(listing.root, keys, channels, data.max_pixels, data.value_range),
        labels=tuple(LABEL_SEPARATOR.join(file.labels) for file in files),
        class_names=listing.class_names,
        splits=tuple(roles[file.split] for file in files),
        root=listing.root,
        not_read=_not_read(directories, listing.root, keys),
        left_out={},
        refusal=refusal,
    )


def _not_read(directories: Mapping[str, Path], root: Path, keys: list[str]) -> dict[str, str]:
    read = set(keys)
    files = sorted(path for directory in directories.values() for path in _files(directory, root))
    return {path: _why_not(path) for path in files if path not in read and not _is_expected(path)}


def _files(directory: Path, root: Path) -> Iterator[str]:
    """Visible files below a directory, relative to `root`."""
    for folder, folders, names in os.walk(directory):
        folders[:] = [name for name in folders if not name.startswith(".")]
        below = os.path.relpath(folder, root).replace(os.sep, "/")
        yield from ((name if below == "." else f"{below}/{name}") for name in names if not name.startswith("."))


def _is_expected(path: str) -> bool:
    return _extension(path) in _NOT_IMAGES


def _why_not(path: str) -> str:
    extension = _extension(path)
    if extension in EXTENSIONS:
        return "an image, but in no class folder that is used"
    return f"files named .{extension} are not read" if extension else "a name without an extension"


def _extension(path: str) -> str:
    return os.path.splitext(path)[1][1:].casefold()  # noqa: PTH122
