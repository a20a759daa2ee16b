"""Where images and labels come from, one file a kind."""

import os.path
from collections.abc import Callable, Mapping
from pathlib import Path

from vernier.config.data import DataConfig
from vernier.data.shards.local import is_shard_set
from vernier.data.shards.url import is_url
from vernier.data.source import Source
from vernier.data.sources.arrays import LabelledArray, source_from_array
from vernier.data.sources.by_name import OLD_NAMES, is_named, open_named
from vernier.data.sources.cifar import load_cifar10, load_cifar100
from vernier.data.sources.decoded import is_decoded_set, open_decoded
from vernier.data.sources.digits import load_digits
from vernier.data.sources.file_lists import columns_problems, is_file_list, list_from_file
from vernier.data.sources.folders import absolute, list_class_folders, list_directory
from vernier.data.sources.list_files import list_files
from vernier.data.sources.listing import Listing, merge_listings, source_from_listing
from vernier.data.sources.matlab import load_emnist, load_svhn
from vernier.data.sources.mnist import load_mnist
from vernier.data.sources.shards import list_shard_parts, list_shards, records_problems
from vernier.data.sources.streamed import list_streamed
from vernier.data.wording import did_you_mean
from vernier.errors import ConfigError, ConfigProblem, DataError

BUILT_IN: dict[str, Callable[[DataConfig], LabelledArray]] = {
    "digits": lambda data: load_digits(),
    "mnist": load_mnist,
    "cifar10": load_cifar10,
    "cifar100": load_cifar100,
    "emnist": load_emnist,
    "svhn": load_svhn,
}
"""Sources that have a name; it wins over a directory of that name."""

_KWARGS = {"cifar100": {"labels"}, "emnist": {"variant"}, "svhn": {"extra"}}


def open_source(data: DataConfig) -> Source:
    """The images and labels that `data` names: a built-in source, another library's, a directory, a URL, a file or
    files that list images, or one path a split.

    Raises:
        ConfigError: keys that exclude each other, or none of them.
        DataError: what is named is not there or can't be used; the message says what to do.
    """
    apart = {name: path for name in ("train", "val", "test") if (path := getattr(data, name)) is not None}
    _check_keys(data, apart)
    if data.source is not None:
        return _open_whole(data.source, data)
    if shards := {split: Path(path) for split, path in apart.items() if is_shard_set(Path(path).expanduser())}:
        _refuse_mixture(shards, apart, data)
        return list_shard_parts(shards, data)
    listings = {split: _list_part(path, data, f"data.{split}") for split, path in apart.items()}
    if data.lists is not None:
        listed = list_files(data)
        return source_from_listing(merge_listings({"train": listed, **listings}) if listings else listed, data)
    return source_from_listing(merge_listings(listings), data)


def _open_whole(source: str, data: DataConfig) -> Source:
    """All images from one place."""
    if source in BUILT_IN:
        return source_from_array(BUILT_IN[source](data), data)
    if is_url(source):
        return list_streamed(source, data, "data.source")
    path = Path(source).expanduser()
    if _is_named(source):
        return open_named(source, data)
    if is_decoded_set(path):
        return open_decoded(path, data)
    if is_shard_set(path):
        return list_shards(path, data, "data.source")
    return source_from_listing(_list_source(source, data), data)


def _check_keys(data: DataConfig, apart: dict[str, str]) -> None:
    problems = []
    if not data.source and not apart and not data.lists:
        problems.append(ConfigProblem("data.source", "missing; give a directory, such as data=DIR"))
    if data.source is not None and apart:
        keys = ", ".join(f"data.{name}" for name in apart)
        problems.append(ConfigProblem("data.source", f"excludes {keys}; write data.train instead"))
    for name, path in apart.items():
        if is_url(path):
            message = f"is a URL ({path}); shards of all splits are one set, with a dataset_info.yaml: data.source=URL"
            problems.append(ConfigProblem(f"data.{name}", message))
    named = data.source is not None and _is_named(data.source)
    for name in () if named else sorted(set(data.kwargs) - _KWARGS.get(data.source or "", set())):
        problems.append(ConfigProblem(f"data.kwargs.{name}", f"data.source={data.source} has no such argument"))
    paths = [path for path in (data.source, *(data.lists or ()), *apart.values()) if path]
    rooted = named or data.lists is not None or any(path in BUILT_IN or is_file_list(path) for path in paths)
    if data.root is not None and not rooted:
        problems.append(
            ConfigProblem("data.root", "goes with built-in sources and files that list images; leave it out")
        )
    problems += columns_problems(data, paths)
    problems += records_problems(data, any(is_url(path) or is_shard_set(Path(path).expanduser()) for path in paths))
    if problems:
        raise ConfigError(problems)


def _is_named(source: str) -> bool:
    """Whether a source is a data set of another library; a file or directory of that name comes first."""
    return is_named(source) and not os.path.lexists(Path(source).expanduser())


def _refuse_mixture(shards: Mapping[str, Path], apart: Mapping[str, str], data: DataConfig) -> None:
    others = [f"data.{split}" for split in apart if split not in shards] + ["data.lists"] * (data.lists is not None)
    if others:
        raise DataError(
            f"{', '.join(f'data.{split}' for split in shards)}: are shards, {', '.join(others)} not. Give all parts as "
            "shards, or none: vernier convert makes shards"
        )


def _list_source(source: str, data: DataConfig) -> Listing:
    path = Path(source).expanduser()
    if not os.path.lexists(path):
        built_in = ", ".join(BUILT_IN)
        raise DataError(
            f"data.source={source}: no built-in source ({built_in}), and there is no {absolute(path)}."
            f"{did_you_mean(source, (*BUILT_IN, *OLD_NAMES))} Check the path or the name"
        )
    if is_file_list(source):
        return list_from_file(path, data, "data.source")
    _refuse_other_files(path, "data.source")
    return list_directory(path, data, "data.source")


def _list_part(text: str, data: DataConfig, key: str) -> Listing:
    path = Path(text).expanduser()
    if is_file_list(text):
        return list_from_file(path, data, key)
    _refuse_other_files(path, key)
    return list_class_folders(path, key)


def _refuse_other_files(path: Path, key: str) -> None:
    if os.path.isfile(path):  # noqa: PTH113
        raise DataError(
            f"{key}={path}: is a file; give a directory of class folders, or a .csv, .tsv, .parquet or .txt file that "
            "lists images"
        )
