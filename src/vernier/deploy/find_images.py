"""The image files that paths stand for."""

import glob
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from vernier.data.extensions import EXTENSIONS
from vernier.data.wording import listed
from vernier.errors import DataError

_PATTERN_SIGNS = "*?["
_LIST_SIGN = "@"

Refuse = Callable[[OSError], None]
"""What happens when a directory can't be listed."""


def find_images(inputs: Sequence[Path]) -> list[str]:
    """`image_paths` as a list."""
    return list(image_paths(inputs))


def image_paths(inputs: Sequence[Path]) -> Iterator[str]:
    """The files that inputs stand for, each once; what a directory or pattern stands for is sorted.

    Directories and lists are read as the files are asked for; wrong inputs are told at once.

    Args:
        inputs: Files, directories (all images below them, hidden ones apart), patterns such as `a/*.jpg`, and
            `@FILE` for a text file with a path a line.

    Raises:
        DataError: An input that does not exist or can't be listed, or no images at all.
    """
    paths = itertools.chain.from_iterable([_expand(item) for item in inputs])
    # What a single input stands for holds nothing twice, and needs no memory of what there was.
    return _some(paths if len(inputs) == 1 else _once(paths), inputs)


def walk(directory: Path, refuse: Refuse) -> Iterator[str]:
    """Image files below a directory by their extension, sorted, without hidden files and directories.

    Symbolic links to directories are not followed.
    """
    for name in _visible_names(directory, refuse):
        if name.endswith(os.sep):
            yield from walk(directory / name, refuse)
        elif _is_image(name):
            yield str(directory / name)


def _some(paths: Iterator[str], inputs: Sequence[Path]) -> Iterator[str]:
    first = next(paths, None)
    if first is None:
        raise DataError(f"no images in {listed([str(item) for item in inputs])}; name image files or directories")
    yield first
    yield from paths


def _once(paths: Iterable[str]) -> Iterator[str]:
    given: set[str] = set()
    for path in paths:
        if path not in given:
            given.add(path)
            yield path


def _expand(item: Path) -> Iterator[str]:
    if item.is_dir():
        return walk(item, _refuse)
    if os.path.lexists(item):
        return iter([str(item)])
    if str(item).startswith(_LIST_SIGN):
        return _listed_in(Path(str(item).removeprefix(_LIST_SIGN)))
    if not any(sign in str(item) for sign in _PATTERN_SIGNS):
        raise DataError(f"{item}: no such file or directory; check the path")
    found = sorted(glob.glob(str(item), recursive=True))  # noqa: PTH207
    if not found:
        raise DataError(f"{item}: no file has a name like this; check the pattern")
    return _once(path for match in found for path in _expand(Path(match)))


def _listed_in(file: Path) -> Iterator[str]:
    if not file.is_file():
        raise DataError(f"{file}: no such list of images; check the path behind {_LIST_SIGN}")
    return _once(_lines(file))


def _lines(file: Path) -> Iterator[str]:
    with file.open("rb") as lines:
        for line in lines:
            if path := os.fsdecode(line).strip("\r\n"):
                yield path


def _visible_names(directory: Path, refuse: Refuse) -> list[str]:
    """Sorted as the paths of the files are: names of directories end in a slash."""
    try:
        with os.scandir(directory) as entries:
            visible = [entry for entry in entries if not entry.name.startswith(".")]
    except OSError as error:
        refuse(error)
        return []
    return sorted(
        entry.name + os.sep if entry.is_dir() else entry.name
        for entry in visible
        if not (entry.is_symlink() and entry.is_dir())
    )


def _refuse(error: OSError) -> None:
    raise DataError(f"{error.filename}: can't be listed: {error.strerror}; check its permissions")


def _is_image(name: str) -> bool:
    _, dot, extension = name.rpartition(".")
    return dot != "" and extension.casefold() in EXTENSIONS
