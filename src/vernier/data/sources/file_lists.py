"""Files that list images, by the ending of their names."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from vernier.config.data import ColumnsConfig, DataConfig
from vernier.data.sources import csv_list, list_files, parquet
from vernier.data.sources.listing import Listing
from vernier.errors import ConfigProblem

_KINDS: Final[tuple[tuple[tuple[str, ...], Callable[[Path, DataConfig, str], Listing]], ...]] = (
    (tuple(csv_list.SUFFIXES), csv_list.list_csv),
    (parquet.SUFFIXES, parquet.list_parquet),
    (list_files.SUFFIXES, list_files.list_file),
)


def is_file_list(text: str) -> bool:
    """Whether a path is named like a file that lists images."""
    return _suffix(text) in {suffix for suffixes, _ in _KINDS for suffix in suffixes}


def list_from_file(path: Path, data: DataConfig, key: str) -> Listing:
    """The images that a file lists.

    Args:
        path: One that `is_file_list` takes.
        key: The config key that named it, for messages.

    Raises:
        DataError: see `list_csv`, `list_parquet` and `list_file`.
    """
    function = next(function for suffixes, function in _KINDS if _suffix(str(path)) in suffixes)
    return function(path, data, key)


def columns_problems(data: DataConfig, paths: Sequence[str]) -> list[ConfigProblem]:
    """Settings of columns where no file has any.

    Args:
        paths: All that images are read from.
    """
    if any(_suffix(path) in (*csv_list.SUFFIXES, *parquet.SUFFIXES) for path in paths):
        return []
    default = ColumnsConfig()
    given = [name for name in ColumnsConfig.model_fields if getattr(data.columns, name) != getattr(default, name)]
    return [
        ConfigProblem(f"data.columns.{name}", "goes with CSV, TSV and Parquet files; leave it out") for name in given
    ]


def _suffix(text: str) -> str:
    return Path(text).suffix.casefold()
