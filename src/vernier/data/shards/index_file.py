"""What lies where in a shard, as a CSV file beside it: `shard.tar` has `shard.tar.index.csv`.

The first line is `bytes,N`, the size of the shard that is described; then `key,label,offset,length`; labels of one
image are joined by `|`. Whoever reads shards from a URL then knows all labels without reading any images.
"""

import csv
import io
from collections.abc import Sequence

from vernier.data.shards.entry import Entry
from vernier.data.source import LABEL_SEPARATOR
from vernier.errors import DataError

SUFFIX = ".index.csv"
_COLUMNS = ["key", "label", "offset", "length"]


def index_text(entries: Sequence[Entry], shard_bytes: int) -> str:
    """The index of a shard that is `shard_bytes` long."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["bytes", shard_bytes])
    writer.writerow(_COLUMNS)
    for entry in entries:
        writer.writerow([entry.key, LABEL_SEPARATOR.join(entry.labels), entry.offset, entry.length])
    return text.getvalue()


def read_index(text: str, where: str) -> tuple[tuple[Entry, ...], int]:
    """The entries that `index_text` wrote, and the size of the shard.

    Raises:
        DataError: it is no such text; `where` names it.
    """
    try:
        (_, size), columns, *rows = csv.reader(io.StringIO(text, newline=""))
        if columns != _COLUMNS:
            raise ValueError(f"the columns are {','.join(columns)}")
        entries = tuple(_entry(row, int(size)) for row in rows)
    except (ValueError, csv.Error) as error:
        raise DataError(f"{where}: is no index of a shard: {error}. Make the set again with vernier convert") from None
    return entries, int(size)


def _entry(row: list[str], size: int) -> Entry:
    key, label, offset, length = row
    entry = Entry(key, tuple(label.split(LABEL_SEPARATOR)) if label else (), int(offset), int(length))
    if entry.offset < 0 or entry.length < 0 or entry.offset + entry.length > size:
        raise ValueError(f"{key} lies outside the shard")
    return entry
