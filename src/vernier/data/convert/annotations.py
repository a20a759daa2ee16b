"""Images in a directory whose labels are in a CSV file by position: image file, label."""

import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from vernier.config.data import DataConfig
from vernier.data.convert.settings import ConvertSettings
from vernier.data.extensions import EXTENSIONS
from vernier.data.source import LABEL_SEPARATOR, Source
from vernier.data.sources.folders import absolute
from vernier.data.sources.listing import ListedFile, Listing, source_from_listing
from vernier.data.tables import is_text, not_utf8, read_rows
from vernier.data.wording import listed
from vernier.errors import DataError

_Row = tuple[int, str, str]
"""Number in the file, from 1 and without empty rows; image file, label."""


def open_annotated(directory: Path, settings: ConvertSettings, data: DataConfig) -> Source:
    """The images below a directory that `settings.annotations` has labels for.

    A file is named by its path in the directory, or by its bare name where that is the only one. Several labels are
    joined by `|`, unless `data.task` says that an image has one.

    Raises:
        DataError: the file can't be read or has a row without a label; an image that is not there, that is named twice,
            or whose bare name several have.
    """
    root = absolute(directory)
    if not root.is_dir():
        raise DataError(f"{directory}: --annotations goes with a directory of images, and there is no such directory")
    path = settings.annotations
    assert path is not None, "there is no file of annotations"
    rows = _read(path, settings)
    paths = _image_paths(root)
    keys = _find(path, rows, paths, root)
    several = data.task == "multilabel" or (
        data.task == "auto" and any(LABEL_SEPARATOR in label for _, _, label in rows)
    )
    labels = [_split(label) if several else (label,) for _, _, label in rows]
    files = tuple(ListedFile(key, its, "") for key, its in zip(keys, labels, strict=True))
    left = sum(map(len, paths.values())) - len(set(keys))
    names = tuple(sorted({label for its in labels for label in its}))
    listing = Listing(root.name, root, files, names, several, {f"not in {path.name}": left} if left else {})
    return source_from_listing(listing, data)


def _read(path: Path, settings: ConvertSettings) -> list[_Row]:
    rows = list(enumerate(read_rows(path, "--annotations", settings.delimiter), start=1))
    rows = rows[1:] if settings.header else rows
    if not rows:
        raise DataError(f"--annotations={path}: has no rows")
    if short := [str(number) for number, row in rows if len(row) < 2]:
        raise DataError(
            f"--annotations={path}: rows without two columns, image file and label: {listed(short)}. --delimiter says "
            f"what is between them, {settings.delimiter!r} now"
        )
    for number, row in rows:
        if not is_text(row[1]):
            raise DataError(f"--annotations={path}: row {number}: {not_utf8(row[1])}")
    cells = [(number, row[0].strip(), row[1].strip()) for number, row in rows]
    if empty := [str(number) for number, name, label in cells if not name or not label]:
        raise DataError(f"--annotations={path}: rows without an image file or a label: {listed(empty)}")
    return cells


def _image_paths(root: Path) -> Mapping[str, list[str]]:
    """Paths of the images below a directory, by their bare names."""
    paths: defaultdict[str, list[str]] = defaultdict(list)
    for directory, folders, names in os.walk(root):
        folders[:] = [folder for folder in folders if not folder.startswith(".")]
        prefix = os.path.relpath(directory, root).replace(os.sep, "/")
        for name in names:
            if name.rpartition(".")[2].casefold() in EXTENSIONS and not name.startswith("."):
                paths[name].append(name if prefix == "." else f"{prefix}/{name}")
    return paths


def _find(path: Path, rows: Sequence[_Row], paths: Mapping[str, list[str]], root: Path) -> list[str]:
    every = {key for keys in paths.values() for key in keys}
    found = [[name] if name in every else paths.get(name, []) for _, name, _ in map(_normal, rows)]
    _refuse(path, f"images that are not in {root}", rows, [not keys for keys in found])
    _refuse(path, "names that several images have; write their paths", rows, [len(keys) > 1 for keys in found])
    keys = [key for (key,) in found]
    counts = Counter(keys)
    _refuse(path, "images that are named twice", rows, [counts[key] > 1 for key in keys])
    return keys


def _normal(row: _Row) -> _Row:
    return row[0], os.path.normpath(row[1]).replace(os.sep, "/"), row[2]


def _refuse(path: Path, what: str, rows: Sequence[_Row], bad: Sequence[bool]) -> None:
    names = [f"{name} (row {number})" for (number, name, _), is_bad in zip(rows, bad, strict=True) if is_bad]
    if names:
        raise DataError(f"--annotations={path}: {what} ({len(names)}): {listed(names)}")


def _split(label: str) -> tuple[str, ...]:
    return tuple(filter(None, map(str.strip, label.split(LABEL_SEPARATOR))))
