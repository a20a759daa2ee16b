"""Class folders: `DIR/<class>/**`, or the same below `DIR/train`, `DIR/val` and `DIR/test`."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from vernier.config.data import DataConfig
from vernier.data.extensions import EXTENSIONS
from vernier.data.sources.listing import ListedFile, Listing
from vernier.data.sources.selection import split_roles
from vernier.data.split_names import SPLIT_NAMES
from vernier.data.wording import did_you_mean, listed
from vernier.errors import DataError

_LOOSE = "an image outside the class folders"
_SYSTEM_FILES = frozenset({"thumbs.db", "desktop.ini", "__macosx"})


def list_directory(directory: Path, data: DataConfig, key: str) -> Listing:
    """Class folders, below split folders where `directory` has them.

    Args:
        directory: The source.
        data: `train_split` and `val_split` say which folders are splits when they have other names.
        key: The config key that named the directory, for messages.

    Raises:
        DataError: the directory can't be read, has no class folders, or mixes class and split folders.
    """
    root = absolute(directory)
    folders = _folders(root, key)
    splits = _split_folders(root, folders, data, key)
    if not splits:
        return list_class_folders(root, key)
    skipped: Counter[str] = Counter()
    _count_loose_files(root, key, skipped)
    for folder in sorted(set(folders) - set(splits)):
        skipped["in a folder beside the splits"] += sum(1 for _ in _walk(root / folder, key, Counter()))
    return _listing(root, {name: root / name for name in splits}, skipped, key)


def list_class_folders(directory: Path, key: str) -> Listing:
    """Class folders straight below `directory`.

    Raises:
        DataError: the directory can't be read, has no class folders, or all of them are named like splits.
    """
    root = absolute(directory)
    folders = _folders(root, key)
    if folders and all(folder.casefold() in SPLIT_NAMES for folder in folders):
        raise DataError(
            f"{key}={root}: {listed(folders)} are named like splits, not classes. Splits hold class folders "
            f"(data.source={root} with {folders[0]}/cat/1.jpg in it); classes need other names"
        )
    return _listing(root, {"": root}, Counter(), key)


def absolute(path: Path) -> Path:
    """The path from the root directory, without `..`; links stay as they are."""
    return Path(os.path.abspath(path.expanduser()))  # noqa: PTH100


def _listing(root: Path, splits: dict[str, Path], skipped: Counter[str], key: str) -> Listing:
    files: list[ListedFile] = []
    classes: set[str] = set()
    for split, base in splits.items():
        folders = _folders(base, key)
        classes.update(folders)
        _count_loose_files(base, key, skipped)
        for folder in folders:
            paths = _walk(base / folder, key, skipped)
            files += [ListedFile(_relative(path, root), (folder,), split) for path in paths]
    if not classes:
        raise DataError(_no_class_folders(root, key, skipped))
    return Listing(root.name or "images", root, tuple(files), tuple(sorted(classes)), False, skipped)


def _no_class_folders(root: Path, key: str, skipped: Counter[str]) -> str:
    loose = skipped[_LOOSE]
    found = f"{loose} images lie directly in it" if loose else "no images in it"
    return (
        f"{key}={root}: no class folders, {found}; put the images of each class in a folder of its own "
        f"({root.name}/cat/1.jpg), or list them in a CSV file with the columns path and label"
    )


def _split_folders(root: Path, folders: Sequence[str], data: DataConfig, key: str) -> list[str]:
    """The folders that are splits and used; none when the folders are classes."""
    nested = [folder for folder in folders if _folders(root / folder, key)]
    if {data.train_split, data.val_split} <= {None, "none"}:
        nested = [folder for folder in nested if folder.casefold() in SPLIT_NAMES]
        _refuse_double(root, nested, key)
        _refuse_mixture(root, nested, sorted(set(folders) - set(nested)), key)
    else:
        _refuse_absent_train(root, nested, data)
    roles = split_roles(nested, data, str(root))
    return [folder for folder in nested if folder in roles]


def _refuse_double(root: Path, splits: Sequence[str], key: str) -> None:
    meanings = Counter(SPLIT_NAMES[folder.casefold()] for folder in splits)
    if double := [folder for folder in splits if meanings[SPLIT_NAMES[folder.casefold()]] > 1]:
        raise DataError(
            f"{key}={root}: {listed(double)} mean the same split; choose one with data.train_split or data.val_split"
        )


def _refuse_mixture(root: Path, splits: Sequence[str], others: Sequence[str], key: str) -> None:
    """Other folders beside splits are left out only where train and a second split leave no doubt."""
    if splits and others and not (len(splits) > 1 and "train" in map(str.casefold, splits)):
        raise DataError(
            f"{key}={root}: can't tell splits from classes: {listed(splits)} looks like a split of class "
            f"folders, {listed(others)} like a class. Write data.train={root / 'train'} (data.val, data.test) "
            "for splits, or rename the folder if it is a class"
        )


def _refuse_absent_train(root: Path, nested: Sequence[str], data: DataConfig) -> None:
    """A validation split chosen by name says nothing about what to train on."""
    named = [folder.casefold() for folder in nested]
    if data.train_split is None and "train" not in named:
        raise DataError(
            f"data.val_split={data.val_split}: {root} has no folder train with class folders in it; name the "
            f"folder to train on with data.train_split.{did_you_mean('train', nested)} "
            f"Folders with folders in them: {listed(nested) or 'none'}"
        )


def _folders(directory: Path, key: str) -> list[str]:
    """Names of the visible folders in a directory, sorted."""
    entries = _entries(directory, key)
    return [entry.name for entry in entries if not _is_hidden(entry.name) and _kind(entry) == "folder"]


def _count_loose_files(directory: Path, key: str, skipped: Counter[str]) -> None:
    for entry in _entries(directory, key):
        if _is_hidden(entry.name):
            skipped["hidden"] += 1
        elif _kind(entry) != "folder":
            skipped[_why_not(entry) or _LOOSE] += 1


def _walk(folder: Path, key: str, skipped: Counter[str]) -> Iterator[str]:
    """Paths of the images below a folder. A link back to a folder above is not followed."""
    pending: list[tuple[str, frozenset[tuple[int, int]]]] = [(str(folder), frozenset())]
    while pending:
        directory, above = pending.pop()
        entries = _entries(Path(directory), key)
        status = Path(directory).stat()
        identity = (status.st_dev, status.st_ino)
        if identity in above:
            skipped["a link to a folder above it"] += 1
            continue
        for entry in entries:
            if _is_hidden(entry.name):
                skipped["hidden"] += 1
            elif _kind(entry) == "folder":
                pending.append((entry.path, above | {identity}))
            elif reason := _why_not(entry):
                skipped[reason] += 1
            else:
                yield entry.path


def _entries(directory: Path, key: str) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(directory) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except FileNotFoundError:
        raise DataError(f"{key}={directory}: no such directory; check the path") from None
    except NotADirectoryError:
        raise DataError(f"{key}={directory}: is a file, not a directory; check the path") from None
    except OSError as error:
        raise DataError(
            f"{key}: the directory {directory} can't be read: {error.strerror}; check its permissions"
        ) from None


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.casefold() in _SYSTEM_FILES


def _kind(entry: "os.DirEntry[str]") -> str:
    try:
        return "folder" if entry.is_dir() else "file" if entry.is_file() else "other"
    except OSError:
        # A link that leads to itself.
        return "other"


def _why_not(entry: "os.DirEntry[str]") -> str | None:
    """Why an entry that is no folder is no image file, or None if it is one."""
    if _kind(entry) == "other":
        return "a broken link or a special file"
    extension = os.path.splitext(entry.name)[1]  # noqa: PTH122
    if extension[1:].casefold() in EXTENSIONS:
        return None
    return f"not an image file ({extension.casefold() or 'no extension'})"


def _relative(path: str, root: Path) -> str:
    return path[len(str(root)) :].lstrip(os.sep).replace(os.sep, "/")
