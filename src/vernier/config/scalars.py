"""Plain YAML scalars that remember how they were written.

A YAML file says `017` where a class name is meant; the reader resolves it to the number 17, and the field
that wants text asks for the text back.
"""

from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, final


@final
class PlainInt(int):
    """A whole number that remembers its text."""

    text: str

    def __new__(cls, value: int, text: str) -> "PlainInt":
        """The number `value`, written as `text`."""
        self = super().__new__(cls, value)
        self.text = text
        return self


@final
class PlainFloat(float):
    """A number that remembers its text."""

    text: str

    def __new__(cls, value: float, text: str) -> "PlainFloat":
        """The number `value`, written as `text`."""
        self = super().__new__(cls, value)
        self.text = text
        return self


@final
@dataclass(frozen=True)
class PlainBool:
    """`true` or `false` that remembers its text. It is no number: Python's own bool would count as 1."""

    value: bool
    text: str


def source_text(value: Any) -> Any:
    """The text of a scalar or path where text is meant; anything else passes through."""
    if isinstance(value, PlainInt | PlainFloat | PlainBool):
        return value.text
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float | PurePath):
        return str(value)
    return value


def truth(value: Any) -> Any:
    """The bool of a scalar where true or false is meant; anything else passes through."""
    return value.value if isinstance(value, PlainBool) else value


def plain_value(value: Any) -> Any:
    """The value as ordinary Python objects, all the way down.

    Raises:
        ValueError: something that YAML and JSON have no word for.
    """
    match value:
        case PlainBool():
            return value.value
        case None | bool() | str():
            return value
        case int():
            return int(value)
        case float():
            return float(value)
        case list() | tuple():
            return [plain_value(item) for item in value]
        case dict():
            return {str(key): plain_value(item) for key, item in value.items()}
    raise ValueError("expected null, true, false, numbers, text, lists or mappings")
