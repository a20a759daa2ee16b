"""Plain YAML scalars that remember how they were written.

A YAML file says `017` where a class name is meant; the reader resolves it to the number 17, and the field that
wants text asks for the text back.
"""

from typing import Any


class PlainInt(int):
    """A whole number that remembers its text."""

    text: str

    def __new__(cls, value: int, text: str) -> "PlainInt":
        self = super().__new__(cls, value)
        self.text = text
        return self


class PlainFloat(float):
    """A number that remembers its text."""

    text: str

    def __new__(cls, value: float, text: str) -> "PlainFloat":
        self = super().__new__(cls, value)
        self.text = text
        return self


def source_text(value: Any) -> Any:
    """The text of a scalar where text is meant; anything else passes through."""
    if isinstance(value, PlainInt | PlainFloat):
        return value.text
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return value


def plain_value(value: Any) -> Any:
    """The value as ordinary Python objects, all the way down."""
    if isinstance(value, PlainInt):
        return int(value)
    if isinstance(value, PlainFloat):
        return float(value)
    if isinstance(value, list | tuple):
        return [plain_value(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain_value(item) for key, item in value.items()}
    return value
