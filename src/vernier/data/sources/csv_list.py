"""CSV files: a column of paths, and the labels in one column or in a column of 0 and 1 each."""

from pathlib import Path

from vernier.config.data import DataConfig
from vernier.data.sources.folders import absolute
from vernier.data.sources.listing import Listing
from vernier.data.sources.table_listing import listing_from_table
from vernier.data.tables import read_table

SUFFIXES = {".csv": ",", ".tsv": "\t"}
"""File name endings in lower case, and the delimiter each stands for."""


def list_csv(path: Path, data: DataConfig, key: str) -> Listing:
    """The images that a CSV file lists, relative to `data.root`, else to the file's own directory.

    `data.columns` says what its columns are called. A run's `split.csv` is such a file.

    Raises:
        DataError: the file, a column, a label or an image is missing; a path occurs twice; see
            `listing_from_table`.
    """
    root = absolute(path).parent if data.root is None else absolute(Path(data.root))
    table = read_table(path, key, _delimiter(path, data), data.columns.path)
    return listing_from_table(table, path.stem, root, data)


def _delimiter(path: Path, data: DataConfig) -> str:
    given = data.columns.delimiter
    return SUFFIXES[path.suffix.casefold()] if given is None else given.replace("tab", "\t")
