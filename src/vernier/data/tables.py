"""CSV files that say something about images."""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import Final, final

from vernier.data.wording import did_you_mean, listed
from vernier.errors import DataError

_SEPARATORS: Final = ",;\t|"


@final
@dataclass(frozen=True)
class Table:
    """Text by columns, read from a file.

    Attributes:
        where: Names the file in messages.
        counted: What `numbers` count, `line` or `row`.
        columns: Their names, each once.
        rows: As many cells as there are columns in each.
        numbers: Of each row, where it begins in the file.
    """

    where: str
    counted: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[int, ...]

    def column(self, name: str) -> list[str]:
        """The cells of a column, which is there."""
        index = self.columns.index(name)
        return [row[index] for row in self.rows]

    def require(self, name: str, key: str) -> list[str]:
        """The cells of the column that a config key names.

        Raises:
            DataError: there is no such column.
        """
        if name not in self.columns:
            raise DataError(
                f"{self.where}: no column '{name}'.{did_you_mean(name, self.columns)} The first line has: "
                f"{listed(self.columns)}. {key} says which column it is{_separator_hint(self.columns)}"
            )
        return self.column(name)

    def refuse(self, what: str, bad: Sequence[bool]) -> None:
        """Say which rows are bad.

        Raises:
            DataError: some are.
        """
        if numbers := list(compress(self.numbers, bad)):
            raise DataError(f"{self.where}: {what} in {self.counted}s ({len(numbers)}): {listed(_text(numbers))}")

    def refuse_cells(self, what: str, cells: Sequence[str], bad: Sequence[bool]) -> None:
        """Say which rows are bad, and what stands in them.

        Raises:
            DataError: some are.
        """
        if numbers := list(compress(self.numbers, bad)):
            at = f"{self.counted}{'s' if len(numbers) > 1 else ''} {listed(_text(numbers))}"
            shown = list(dict.fromkeys(compress(cells, bad)))
            raise DataError(f"{self.where}: {at}: {what} ({len(shown)}): {listed(shown)}")


def is_text(cell: str) -> bool:
    """Whether all bytes of a cell were UTF-8."""
    return cell.isascii() or not any("\udc80" <= character <= "\udcff" for character in cell)


def not_utf8(cell: str) -> str:
    """What is wrong with a cell that is not text, and the remedy."""
    byte = next(ord(character) - 0xDC00 for character in cell if "\udc80" <= character <= "\udcff")
    return (
        f"the byte 0x{byte:02X} is not UTF-8 text; save the file as UTF-8 (in a spreadsheet choose CSV UTF-8; "
        "`iconv -f latin1 -t utf-8` if it is Latin-1)"
    )


def read_rows(path: Path, key: str, delimiter: str = ",") -> list[list[str]]:
    """All rows of a CSV file, the header first; empty lines are left out.

    The text is UTF-8, with or without a byte order mark. Bytes that are not (file names may hold any) are
    kept as surrogates.

    Args:
        path: The file.
        key: The config key that named it, for messages.
        delimiter: One character.

    Raises:
        DataError: the file can't be read or is no CSV.
    """
    return [row for _, row in _numbered_rows(path, f"{key}={path}", delimiter)]


def read_table(path: Path, key: str, delimiter: str, bytes_in: str) -> Table:
    """A CSV file whose first line names the columns.

    Args:
        path: The file.
        key: The config key that named it, for messages.
        delimiter: One character.
        bytes_in: The column that may hold bytes other than UTF-8, since file names do.

    Raises:
        DataError: the file can't be read, is no CSV, is not UTF-8, has rows of other lengths or two columns of
            one name.
    """
    where = f"{key}={path}"
    (_, header), *numbered = list(_numbered_rows(path, where, delimiter)) or [(1, [])]
    columns = tuple(name.strip() for name in header)
    _refuse_other_encodings(where, columns, [(1, header), *numbered], bytes_in)
    if twice := [name for name, count in Counter(columns).items() if count > 1]:
        raise DataError(f"{where}: columns that occur twice ({len(twice)}): {listed(twice)}")
    _refuse_uneven(where, len(columns), delimiter, numbered)
    return Table(where, "line", columns, tuple(tuple(row) for _, row in numbered), tuple(n for n, _ in numbered))


def _numbered_rows(path: Path, where: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not empty, each with the line that it begins in."""
    try:
        text = path.read_bytes().decode("utf-8-sig", errors="surrogateescape")
    except OSError as error:
        raise DataError(f"{where}: can't be read: {error.strerror}") from None
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    begin = 1
    try:
        for row in reader:
            if row:
                yield begin, row
            begin = reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"{where}: is no CSV file: {error}, in what begins in line {begin}. A cell with quotes in it is written "
            'in quotes, with each of its own doubled: "5"" disk"'
        ) from None


def _refuse_other_encodings(
    where: str, columns: Sequence[str], numbered: Sequence[tuple[int, list[str]]], bytes_in: str
) -> None:
    names = [*columns, *([""] * max(len(row) for _, row in numbered))]
    for number, row in numbered:
        for name, cell in zip(names, row, strict=False):
            if not is_text(cell) and name != bytes_in:
                raise DataError(f"{where}: line {number}: {not_utf8(cell)}")


def _refuse_uneven(where: str, width: int, delimiter: str, numbered: Sequence[tuple[int, list[str]]]) -> None:
    uneven = [(number, row) for number, row in numbered if len(row) != width]
    if not uneven:
        return
    others = [(number, _other_separator(row, delimiter, width)) for number, row in uneven]
    number, other = next(((number, other) for number, other in others if other), (0, ""))
    hint = f". Line {number} looks separated by {_shown(other)}: write one separator everywhere" if other else ""
    listing = listed(_text([number for number, _ in uneven]))
    raise DataError(f"{where}: rows with more or fewer fields than the first line ({len(uneven)}): {listing}{hint}")


def _other_separator(row: Sequence[str], delimiter: str, width: int) -> str:
    """The separator that divides a row into as many fields as there should be."""
    text = delimiter.join(row)
    return next((mark for mark in _SEPARATORS if mark != delimiter and text.count(mark) == width - 1), "")


def _separator_hint(columns: Sequence[str]) -> str:
    """What the first line seems to be separated by, when it is one column."""
    found = [mark for mark in _SEPARATORS if len(columns) == 1 and mark in columns[0]]
    if not found:
        return ""
    mark = max(found, key=columns[0].count)
    value = "tab" if mark == "\t" else f"'{mark}'"
    return f". The first line looks separated by {_shown(mark)}: data.columns.delimiter={value}"


def _shown(mark: str) -> str:
    return "a tab" if mark == "\t" else f"'{mark}'"


def _text(numbers: Sequence[int]) -> list[str]:
    return list(map(str, numbers))
