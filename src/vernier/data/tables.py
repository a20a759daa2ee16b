"""CSV files that say something about images."""

import csv
import io
from pathlib import Path

from vernier.errors import DataError


def read_rows(path: Path, key: str, delimiter: str = ",") -> list[list[str]]:
    """All rows of a CSV file, the header first; empty lines are left out.

    The text is UTF-8, with or without a byte order mark. Bytes that are not (file names may hold any) are
    kept as surrogates.

    Args:
        path: The file.
        key: The config key that named it, for messages.
        delimiter: A comma, or a tab.

    Raises:
        DataError: the file can't be read or is no CSV.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig", errors="surrogateescape")
        return [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row]
    except OSError as error:
        raise DataError(f"{key}={path}: can't be read: {error.strerror}") from None
    except csv.Error as error:
        raise DataError(f"{key}={path}: is no CSV file: {error}") from None
