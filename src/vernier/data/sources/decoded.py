"""A set of decoded images that `vernier convert --format store` wrote."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np

from vernier.config.data import DataConfig
from vernier.data.decoded_images import DecodedImages, PixelFile
from vernier.data.packed import PackedImages
from vernier.data.shards.index_file import SUFFIX
from vernier.data.shards.info import INFO_FILE, DatasetInfo, read_info
from vernier.data.shards.pixels import PixelIndex, read_pixel_index
from vernier.data.source import Source
from vernier.data.sources.listing import ListedFile, Listing, make_source
from vernier.data.wording import listed
from vernier.errors import DataError


def is_decoded_set(path: Path) -> bool:
    """Whether a path is a directory of decoded images.

    Raises:
        DataError: its `dataset_info.yaml` is damaged.
    """
    info = read_info(path) if (path / INFO_FILE).is_file() else None
    return info is not None and info.format == "store"


def open_decoded(path: Path, data: DataConfig) -> Source:
    """The images of a directory that `is_decoded_set`, memory-mapped, sorted by key.

    Raises:
        DataError: a file is missing, damaged or not the one that its index describes; other channels than asked for;
            and what `make_source` raises.
    """
    info = read_info(path)
    assert info is not None, f"{path} has no {INFO_FILE}"
    stored = [_open_file(path / file, split) for split, its in info.splits.items() for file in its.files]
    _check(path, info, stored, data)
    places = {key: (n, row) for n, file in enumerate(stored) for row, key in enumerate(file.index.keys)}
    files = tuple(file for part in stored for file in part.listed())
    if len(places) < len(files):
        raise DataError(f"{path}: some images stand in it twice; make it again with vernier convert")

    def images(keys: Sequence[str], channels: int) -> DecodedImages:
        numbers, rows = np.array([places[key] for key in keys], np.int64).reshape(len(keys), 2).T
        return DecodedImages([part.file for part in stored], keys, numbers, rows, stored[0].index.channels)

    channels, root = stored[0].index.channels, path.absolute()
    listing = Listing(info.name, root, files, info.class_names, info.multilabel, {}, channels, info.native_size)
    return make_source(listing, data, images, None)


@final
@dataclass(frozen=True)
class _Stored:
    """One file of pixels, its index and its split."""

    file: PixelFile
    index: PixelIndex
    split: str

    def listed(self) -> list[ListedFile]:
        pairs = zip(self.index.keys, self.index.labels, strict=True)
        return [ListedFile(key, labels, self.split) for key, labels in pairs]


def _open_file(path: Path, split: str) -> _Stored:
    index_path = path.with_name(f"{path.name}{SUFFIX}")
    try:
        text = index_path.read_bytes().decode(errors="surrogateescape")
        index = read_pixel_index(text, str(index_path))
        size = path.stat().st_size
        if size != index.size:
            raise DataError(
                f"{path}: has {size} bytes, and {index.size} by its index; copy both again, or make the set again with "
                "vernier convert"
            )
        # A plain array: slicing numpy's own memmap class costs more than a small image's copy.
        flat = np.asarray(np.memmap(path, np.uint8, mode="r"))
    except OSError as error:
        raise DataError(f"{error.filename or path}: can't be read: {error.strerror}") from None
    return _Stored(PixelFile(path, PackedImages(flat, index.places, index.channels)), index, split)


def _check(path: Path, info: DatasetInfo, stored: Sequence[_Stored], data: DataConfig) -> None:
    if not stored:
        raise DataError(f"{path / INFO_FILE}: lists no files. Make the set again with vernier convert")
    channels = {part.index.channels for part in stored}
    if len(channels) > 1:
        raise DataError(
            f"{path}: its files have images of {listed(sorted(map(str, channels)))} channels; make it again"
        )
    if data.channels not in ("auto", *channels):
        raise DataError(
            f"{path}: holds decoded images of {channels.pop()} channels, not data.channels={data.channels}; convert "
            f"the images again with data.channels={data.channels}"
        )
    labels = {label for part in stored for its in part.index.labels for label in its}
    if unknown := sorted(labels - set(info.class_names)):
        raise DataError(f"{path}: labels that are no classes of {INFO_FILE}: {listed(unknown)}. Make the set again")
