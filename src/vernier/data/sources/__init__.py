"""Where images and labels come from, one file a kind."""

import os.path
from collections.abc import Callable
from pathlib import Path

from vernier.config.data import DataConfig
from vernier.data.source import Source
from vernier.data.sources.arrays import LabelledArray, source_from_array
from vernier.data.sources.cifar import load_cifar10, load_cifar100
from vernier.data.sources.csv_list import SUFFIXES, list_csv
from vernier.data.sources.digits import load_digits
from vernier.data.sources.folders import absolute, list_class_folders, list_directory
from vernier.data.sources.listing import Listing, merge_listings, source_from_listing
from vernier.data.sources.mnist import load_mnist
from vernier.data.wording import did_you_mean
from vernier.errors import ConfigError, ConfigProblem, DataError

BUILT_IN: dict[str, Callable[[DataConfig], LabelledArray]] = {
    "digits": lambda data: load_digits(),
    "mnist": load_mnist,
    "cifar10": load_cifar10,
    "cifar100": load_cifar100,
}
"""Sources that have a name; it wins over a directory of that name."""

_KWARGS = {"cifar100": {"labels"}}


def open_source(data: DataConfig) -> Source:
    """The images and labels that `data` names: a built-in source, a directory, a CSV file, or one path a split.

    Raises:
        ConfigError: keys that exclude each other, or none of them.
        DataError: what is named is not there or can't be used; the message says what to do.
    """
    apart = {name: path for name in ("train", "val", "test") if (path := getattr(data, name)) is not None}
    _check_keys(data, apart)
    if data.source in BUILT_IN:
        return source_from_array(BUILT_IN[data.source](data), data)
    if data.source is not None:
        return source_from_listing(_list_source(data.source, data), data)
    listings = {split: _list_part(path, data, f"data.{split}") for split, path in apart.items()}
    return source_from_listing(merge_listings(listings), data)


def _check_keys(data: DataConfig, apart: dict[str, str]) -> None:
    problems = []
    if not data.source and not apart:
        problems.append(ConfigProblem("data.source", "missing; give a directory, such as data=DIR"))
    if data.source is not None and apart:
        keys = ", ".join(f"data.{name}" for name in apart)
        problems.append(ConfigProblem("data.source", f"excludes {keys}; write data.train instead"))
    for name in sorted(set(data.kwargs) - _KWARGS.get(data.source or "", set())):
        problems.append(ConfigProblem(f"data.kwargs.{name}", f"data.source={data.source} has no such argument"))
    paths = [data.source, *apart.values()]
    if data.root is not None and not any(path in BUILT_IN or _is_table(path) for path in paths if path):
        problems.append(ConfigProblem("data.root", "goes with built-in sources and CSV files; leave it out"))
    if problems:
        raise ConfigError(problems)


def _list_source(source: str, data: DataConfig) -> Listing:
    path = Path(source).expanduser()
    if not os.path.lexists(path):
        built_in = ", ".join(BUILT_IN)
        raise DataError(
            f"data.source={source}: no built-in source ({built_in}), and there is no {absolute(path)}."
            f"{did_you_mean(source, BUILT_IN)} Check the path or the name"
        )
    if _is_table(source):
        return list_csv(path, data, "data.source")
    _refuse_other_files(path, "data.source")
    return list_directory(path, data, "data.source")


def _list_part(text: str, data: DataConfig, key: str) -> Listing:
    path = Path(text).expanduser()
    if _is_table(text):
        return list_csv(path, data, key)
    _refuse_other_files(path, key)
    return list_class_folders(path, key)


def _is_table(text: str) -> bool:
    return Path(text).suffix.casefold() in SUFFIXES


def _refuse_other_files(path: Path, key: str) -> None:
    if os.path.isfile(path):  # noqa: PTH113
        raise DataError(f"{key}={path}: is a file; give a directory of class folders, or a .csv or .tsv file")
