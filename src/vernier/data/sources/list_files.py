"""List files: on each line the path of an image, and perhaps its label."""

import os.path
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

from vernier.config.data import DataConfig
from vernier.data.extensions import EXTENSIONS
from vernier.data.source import LABEL_SEPARATOR
from vernier.data.sources.folders import absolute
from vernier.data.sources.listing import ListedFile, Listing, merge_listings
from vernier.data.sources.table_listing import check_files, key_of, split_labels
from vernier.data.tables import Table, is_text, not_utf8
from vernier.errors import DataError

SUFFIXES = (".txt", ".lst", ".list")
"""File name endings in lower case."""


def list_file(path: Path, data: DataConfig, key: str) -> Listing:
    """The images that a list file names, relative to `data.root`, else to the file's own directory.

    A line is a path, then, after a tab or else after the last space, its label; a line that ends like an image file,
    or that has no space, is a path alone, whose label is the name of its folder. Several labels are joined by `|`,
    unless `data.task` says that an image has one. Empty lines and lines that begin with `#` are left out.

    Raises:
        DataError: the file or an image is missing, a path occurs twice, a label is not UTF-8.
    """
    where = f"{key}={path}"
    root = absolute(path).parent if data.root is None else absolute(Path(data.root))
    entries = [_entry(where, number, line, root) for number, line in _lines(path, where)]
    keys = [entry.key for entry in entries]
    table = Table(where, "line", (), ((),) * len(entries), tuple(entry.line for entry in entries))
    check_files(table, root, keys, "paths are relative to data.root, else to the list file")
    several = data.task == "multilabel" or (
        data.task == "auto" and any(LABEL_SEPARATOR in entry.label for entry in entries)
    )
    labels = [split_labels(entry.label) if several else (entry.label,) for entry in entries]
    files = tuple(ListedFile(key, names, "") for key, names in zip(keys, labels, strict=True))
    class_names = tuple(sorted({name for names in labels for name in names}))
    return Listing(path.stem, root, files, class_names, several, {})


def list_files(data: DataConfig) -> Listing:
    """The images of all `data.lists`, each with the number of its list.

    Raises:
        DataError: see `list_file`; an image is in two lists.
    """
    listings = {}
    for number, text in enumerate(data.lists or ()):
        listing = list_file(Path(text).expanduser(), data, f"data.lists[{number}]")
        files = tuple(replace(file, list_number=number) for file in listing.files)
        listings[f"lists[{number}]"] = replace(listing, files=files)
    merged = merge_listings(listings)
    return replace(merged, files=tuple(replace(file, split="") for file in merged.files))


@final
@dataclass(frozen=True)
class _Entry:
    """A line of a list file, its path relative to the root."""

    line: int
    key: str
    label: str


def _lines(path: Path, where: str) -> list[tuple[int, str]]:
    """The lines that name an image, with their numbers."""
    try:
        text = path.read_bytes().decode("utf-8-sig", errors="surrogateescape")
    except OSError as error:
        raise DataError(f"{where}: can't be read: {error.strerror}") from None
    lines = text.replace("\r\n", "\n").split("\n")
    numbered = ((number, line.strip(" \t\r")) for number, line in enumerate(lines, start=1))
    return [(number, line) for number, line in numbered if line and not line.startswith("#")]


def _entry(where: str, number: int, line: str, root: Path) -> _Entry:
    path, label = _divided(line)
    key = key_of(path, str(root))
    label = label or (root / key).parent.name
    if not is_text(label):
        raise DataError(f"{where}: line {number}: {not_utf8(label)}")
    return _Entry(number, key, label)


def _divided(line: str) -> tuple[str, str]:
    """Path and label, which is empty if there is none."""
    if "\t" in line:
        path, _, label = line.rpartition("\t")
        return path.rstrip(), label.strip()
    extension = os.path.splitext(line)[1]  # noqa: PTH122
    if " " not in line or extension[1:].casefold() in EXTENSIONS:
        return line, ""
    path, _, label = line.rpartition(" ")
    return path.rstrip(), label
