"""Decoded images, one after the other in a file; what lies where is in a CSV file beside it.

The first line of the index is `bytes,N`, the size of the file, and the images' channels: `channels,C`; then
`key,label,offset,height,width`. Labels of one image are joined by `|`.
"""

import csv
import io
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

import numpy as np

from vernier.data.shards.entry import Entry
from vernier.data.shards.writer import ImageRecord, ShardWriter
from vernier.data.source import LABEL_SEPARATOR
from vernier.errors import DataError

_COLUMNS: Final = ["key", "label", "offset", "height", "width"]
_BUFFER: Final = 2**20


@final
@dataclass(frozen=True)
class PixelIndex:
    """What lies in a file of pixels.

    Attributes:
        keys: Of its N images.
        labels: Of each image, by name.
        places: int64 (N, 3): offset in bytes, height, width.
        channels: Of every image.
        size: Bytes of the file.
    """

    keys: tuple[str, ...]
    labels: tuple[tuple[str, ...], ...]
    places: np.ndarray
    channels: int
    size: int


@final
class PixelWriter(ShardWriter):
    """Writes a file of pixels: the content of a record is uint8 (H, W, C), H and W being its size."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
        self._file = self._temporary.open("xb", buffering=_BUFFER)
        self._position = 0

    def add(self, record: ImageRecord) -> Entry:
        """See `ShardWriter.add`."""
        entry = Entry(record.key, record.class_names, self._position, len(record.content))
        self._file.write(record.content)
        self._position += entry.length
        return entry

    def close(self) -> int:
        """See `ShardWriter.close`."""
        with self._file as file:
            file.flush()
            os.fsync(file.fileno())
        self._temporary.replace(self._path)
        return self._position

    def abandon(self) -> None:
        """See `ShardWriter.abandon`."""
        try:
            self._file.close()
        finally:
            self._temporary.unlink(missing_ok=True)


def pixel_index_text(entries: Sequence[Entry], sizes: Sequence[tuple[int, int]], channels: int, file_bytes: int) -> str:
    """The index of a file of pixels that is `file_bytes` long, its images being of these heights and widths."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["bytes", file_bytes])
    writer.writerow(["channels", channels])
    writer.writerow(_COLUMNS)
    for entry, size in zip(entries, sizes, strict=True):
        writer.writerow([entry.key, LABEL_SEPARATOR.join(entry.labels), entry.offset, *size])
    return text.getvalue()


def read_pixel_index(text: str, where: str) -> PixelIndex:
    """What `pixel_index_text` wrote; `where` names the file in messages.

    Raises:
        DataError: it is no such text, or an image lies outside the file.
    """
    try:
        (_, size), (_, channels), columns, *rows = csv.reader(io.StringIO(text, newline=""))
        if columns != _COLUMNS:
            raise ValueError(f"the columns are {','.join(columns)}")
        keys, labels, *places = zip(*rows, strict=True) if rows else [()] * len(_COLUMNS)
        index = PixelIndex(
            tuple(keys),
            tuple(tuple(label.split(LABEL_SEPARATOR)) if label else () for label in labels),
            np.array(places, dtype=np.int64).T.reshape(-1, 3),
            int(channels),
            int(size),
        )
        _check_places(index)
    except (ValueError, OverflowError, csv.Error) as error:
        raise DataError(f"{where}: is no index of a store: {error}. Make it again with vernier convert") from None
    return index


def _check_places(index: PixelIndex) -> None:
    # In Python's whole numbers, which do not overflow.
    for key, (offset, height, width) in zip(index.keys, index.places.tolist(), strict=True):
        if min(offset, height, width, index.channels) < 0 or offset + height * width * index.channels > index.size:
            raise ValueError(f"{key} lies outside the file")
