"""Parquet files: the columns of a CSV file, with types."""

import importlib
from pathlib import Path
from typing import Any

from vernier.config.data import DataConfig
from vernier.data.source import LABEL_SEPARATOR
from vernier.data.sources.folders import absolute
from vernier.data.sources.listing import Listing
from vernier.data.sources.table_listing import listing_from_table
from vernier.data.tables import Table
from vernier.data.wording import listed
from vernier.errors import DataError, MissingExtraError

SUFFIXES = (".parquet", ".pq")
"""File name endings in lower case."""


def list_parquet(path: Path, data: DataConfig, key: str) -> Listing:
    """The images that a Parquet file lists, as `list_csv` lists those of a CSV file.

    Cells are text or numbers; true and false stand for 1 and 0, null and NaN for an empty cell, a list for its items
    joined by `|`. Columns of other types are left out. Rows are counted from 1.

    Raises:
        DataError: the file can't be read or is no Parquet file; see `listing_from_table`.
        MissingExtraError: pyarrow is not installed.
    """
    where = f"{key}={path}"
    columns = _read_columns(path, where, data)
    rows = tuple(zip(*(map(_text, cells) for cells in columns.values()), strict=True))
    table = Table(where, "row", tuple(columns), rows, tuple(range(1, len(rows) + 1)))
    root = absolute(path).parent if data.root is None else absolute(Path(data.root))
    return listing_from_table(table, path.stem, root, data)


def _read_columns(path: Path, where: str, data: DataConfig) -> dict[str, list[Any]]:
    """The cells of each column that a table can have."""
    arrow, parquet = _import("pyarrow", where), _import("pyarrow.parquet", where)
    try:
        with path.open("rb") as content, parquet.ParquetFile(content) as file:
            schema = file.schema_arrow
            _refuse_schema(where, schema, arrow, data)
            names = [field.name for field in schema if _is_plain(field.type, arrow)]
            table = file.read(columns=names)
            return {name: table.column(name).to_pylist() for name in names}
    except OSError as error:
        raise DataError(f"{where}: can't be read: {error.strerror or error}") from None
    except arrow.ArrowException as error:
        raise DataError(f"{where}: is no Parquet file, or a damaged one: {error}") from None


def _import(module: str, where: str) -> Any:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError:
        raise MissingExtraError(where, "parquet") from None


def _refuse_schema(where: str, schema: Any, arrow: Any, data: DataConfig) -> None:
    if twice := sorted({name for name in schema.names if schema.names.count(name) > 1}):
        raise DataError(f"{where}: columns that occur twice ({len(twice)}): {listed(twice)}")
    name = data.columns.path
    if name in schema.names and not _is_plain(schema.field(name).type, arrow):
        raise DataError(
            f"{where}: column '{name}' holds {schema.field(name).type}, not paths. data.columns.path names a column of "
            "the paths of image files"
        )


def _is_plain(kind: Any, arrow: Any) -> bool:
    """Whether a type is text, numbers, truth values, or lists of them."""
    types = arrow.types
    if types.is_list(kind) or types.is_large_list(kind) or types.is_dictionary(kind):
        return _is_plain(kind.value_type, arrow)
    checks = ("is_string", "is_large_string", "is_integer", "is_floating", "is_boolean", "is_decimal", "is_null")
    return any(getattr(types, check)(kind) for check in checks)


def _text(cell: Any) -> str:
    if cell is None or cell != cell:
        return ""
    if isinstance(cell, list):
        return LABEL_SEPARATOR.join(map(_text, cell))
    whole = isinstance(cell, bool) or (isinstance(cell, float) and cell.is_integer())
    return str(int(cell)) if whole else str(cell)
