"""Predictions as a Parquet file, written as they come."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, final

import numpy as np

from vernier.deploy.prediction_columns import Columns
from vernier.deploy.prediction_files import end_part, into_place, part_of, refusing
from vernier.deploy.predictions import Prediction
from vernier.errors import MissingExtraError

if TYPE_CHECKING:
    import pyarrow

_ROWS_HELD = 4096
"""Rows of a row group: Parquet is written in groups, of which each has its own columns."""


@final
class ParquetFile:
    """A `Sink`: the columns as text, bool and float32; under its name when all is written, NAME.part before."""

    def __init__(self, path: Path, columns: Columns) -> None:
        """Begin NAME.part.

        Raises:
            MissingExtraError: pyarrow is missing.
            RunError: The system refuses.
        """
        try:
            from pyarrow.parquet import ParquetWriter
        except ImportError:
            raise MissingExtraError(f"{path}: writing Parquet", "parquet") from None
        self._path, self._columns, self._schema = path, columns, _schema(columns)
        self._part = part_of(path)
        self._rows: list[Prediction] = []
        self._has_rows = False
        self._writer = refusing(path, lambda: ParquetWriter(self._part, self._schema))

    def write(self, rows: Sequence[Prediction]) -> None:
        """Take some rows; a full group of them is written."""
        self._rows += rows
        if len(self._rows) >= _ROWS_HELD:
            self._write_group()

    def finish(self) -> None:
        """Write the rest and give the file its name."""
        self._close()
        refusing(self._path, lambda: into_place(self._part, self._path))

    def abandon(self) -> Path | None:
        """Make what came a readable NAME.part, if there are rows."""
        if self._writer.is_open:
            self._close()
        return end_part(self._part, self._has_rows)

    def _close(self) -> None:
        self._write_group()
        refusing(self._path, self._writer.close)

    def _write_group(self) -> None:
        rows, self._rows = self._rows, []
        if rows:
            self._has_rows = True
            refusing(self._path, lambda: self._writer.write_table(self._table(rows)))

    def _table(self, rows: Sequence[Prediction]) -> "pyarrow.Table":
        import pyarrow

        cells = zip(*([_plain(value) for value in self._columns.values(row)] for row in rows), strict=True)
        arrays = [pyarrow.array(list(column), field.type) for column, field in zip(cells, self._schema, strict=True)]
        return pyarrow.Table.from_arrays(arrays, schema=self._schema)


def _schema(columns: Columns) -> "pyarrow.Schema":
    import pyarrow

    types = {str: pyarrow.string(), bool: pyarrow.bool_(), float: pyarrow.float32()}
    return pyarrow.schema([(name, types[kind]) for name, kind in zip(columns.names, columns.types(), strict=True)])


def _plain(value: str | bool | np.float32 | None) -> str | bool | np.float32 | None:
    """Text without the bytes of file names that are not UTF-8, which Parquet can't hold."""
    return value.encode(errors="replace").decode() if isinstance(value, str) else value
