"""What there is to choose from, with what each network costs, read from tables that were made ahead.

The tables are made by `python -m vernier.models.catalog_build`. Nothing here imports torch, unless a network has to
be built to answer.
"""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from fnmatch import fnmatchcase
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import Any, Literal, final, get_args

from vernier import __version__
from vernier.models.spellings import nearest, translate

Listed = Literal["zoo", "timm", "torchvision"]
"""Providers whose networks can be listed, in the order in which `provider=auto` asks them."""

LISTED: tuple[Listed, ...] = get_args(Listed)
CLASSES = 1000
"""What the tables are made for; other numbers of classes follow exactly."""

_FEW = 40


@final
@dataclass(frozen=True)
class Row:
    """A network in a table.

    Attributes:
        name: as in `model.name`.
        provider: who builds it.
        family: the module that defines it.
        height: of the image it was designed for, in pixels.
        width: of the image it was designed for, in pixels.
        channels: of that image.
        weights: whether there are published ones.
        parameters: with 1000 classes, BatchNorm's running means and variances included; None: it can't be counted.
        trainable: with 1000 classes, weights alone.
        macs: multiplications for one such image and 1000 classes.
        parameters_per_class: what one more class adds to both counts of parameters.
        macs_per_class: what one more class adds to `macs`.
    """

    name: str
    provider: Listed
    family: str
    height: int
    width: int
    channels: int
    weights: bool
    parameters: int | None = None
    trainable: int | None = None
    macs: int | None = None
    parameters_per_class: int = 0
    macs_per_class: int = 0


@final
@dataclass(frozen=True)
class Entry:
    """A network as it is listed: for a number of classes and an image of (height, width, channels).

    Figures are None where the network can't be built for that, or can't be counted.
    """

    name: str
    provider: Listed
    family: str
    parameters: int | None
    trainable: int | None
    macs: int | None
    input_size: tuple[int, int, int]
    weights: bool

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return asdict(self)


def find_rows(pattern: str = "*", provider: Listed | None = None) -> tuple[Row, ...]:
    """Networks whose name matches a shell pattern, or holds `pattern` where it has no wildcard; case is ignored.

    A spelling of another system, such as `ResNet50NCHW`, finds what it stands for where nothing else matches.
    """
    rows = [row for listed in LISTED if provider in (None, listed) for row in _current_rows(listed)]
    found = _matching(rows, pattern.lower())
    meant = None if found else translate(pattern, [row.name for row in rows])
    return found or tuple(row for row in rows if row.name == meant)


def nearest_names(pattern: str) -> tuple[str, ...]:
    """Names that `pattern` may have been meant for, the nearest first."""
    return nearest(pattern, [row.name for listed in LISTED for row in read_table(listed)])


def list_entries(rows: Sequence[Row], classes: int, input_size: tuple[int, int, int] | None) -> tuple[Entry, ...]:
    """Rows for a number of classes and an image of (height, width, channels), None for each network's own.

    Other images than the network's own need it built, without memory for its weights. Networks that the tables do not
    know are built where only a few are listed.
    """
    build = _must_be_built(rows, input_size)
    return tuple(
        _computed(row, classes, input_size or _own_size(row)) if building else _from_table(row, classes)
        for row, building in zip(rows, build, strict=True)
    )


def needs_building(rows: Sequence[Row], input_size: tuple[int, int, int] | None) -> int:
    """How many of the rows `list_entries` has to build."""
    return sum(_must_be_built(rows, input_size))


@cache
def read_table(provider: Listed) -> tuple[Row, ...]:
    """The shipped table of a provider's networks."""
    _, *lines = _table_lines(provider)
    return tuple(_parse(provider, record) for record in csv.DictReader(lines))


def table_version(provider: Listed) -> str:
    """The version of the package that the table was made with, Vernier's own for the zoo."""
    return _table_lines(provider)[0].split()[-1]


def installed_version(provider: Listed) -> str:
    """The version of a provider's package without what tells builds for different machines apart."""
    return (__version__ if provider == "zoo" else version(provider)).partition("+")[0]


def field_names() -> tuple[str, ...]:
    """The columns of a table."""
    return tuple(field.name for field in fields(Row) if field.name != "provider")


def _table_lines(provider: Listed) -> list[str]:
    return (files("vernier.models") / "tables" / f"{provider}.csv").read_text(encoding="utf-8").splitlines()


def _parse(provider: Listed, record: dict[str, str]) -> Row:
    words = {key: record[key] for key in ("name", "family")}
    numbers = {key: int(text) for key, text in record.items() if key not in words and key != "weights" and text}
    return Row(provider=provider, weights=record["weights"] == "1", **words, **numbers)  # type: ignore[arg-type]


def _current_rows(provider: Listed) -> tuple[Row, ...]:
    """The table; or with another version of the package than the table's, its own names."""
    table = read_table(provider)
    if provider == "zoo" or installed_version(provider) == table_version(provider):
        return table
    from vernier.models.catalog_build import describe, names_of

    known = {row.name: row for row in table}
    return tuple(known.get(name) or describe(provider, name) for name in names_of(provider))


def _matching(rows: Iterable[Row], pattern: str) -> tuple[Row, ...]:
    glob = pattern if any(character in pattern for character in "*?[") else f"*{pattern}*"
    return tuple(row for row in rows if fnmatchcase(row.name, glob))


def _own_size(row: Row) -> tuple[int, int, int]:
    return (row.height, row.width, row.channels)


def _must_be_built(rows: Sequence[Row], input_size: tuple[int, int, int] | None) -> list[bool]:
    few = len(rows) <= _FEW
    return [input_size not in (None, _own_size(row)) or (few and row.parameters is None) for row in rows]


def _from_table(row: Row, classes: int) -> Entry:
    more = classes - CLASSES
    return Entry(
        row.name,
        row.provider,
        row.family,
        _sum(row.parameters, more * row.parameters_per_class),
        _sum(row.trainable, more * row.parameters_per_class),
        _sum(row.macs, more * row.macs_per_class),
        _own_size(row),
        row.weights,
    )


def _sum(count: int | None, more: int) -> int | None:
    return None if count is None else count + more


def _computed(row: Row, classes: int, input_size: tuple[int, int, int]) -> Entry:
    from vernier.models.catalog_measure import cost_or_none

    cost = cost_or_none(row.provider, row.name, classes, input_size)
    if cost is None:
        return Entry(row.name, row.provider, row.family, None, None, None, input_size, row.weights)
    return Entry(
        row.name, row.provider, row.family, cost.parameters, cost.trainable, cost.macs, input_size, row.weights
    )
