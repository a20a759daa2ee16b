"""Values of a resolved config, in which no `auto` is left."""

from typing import Literal, TypeVar

T = TypeVar("T")


def settled(value: T | Literal["auto"]) -> T:
    """The value of a field that resolving has settled; `auto` here is a bug.

    Raises:
        TypeError: the config was not resolved.
    """
    if isinstance(value, str) and value == "auto":
        raise TypeError("this config still says auto: resolve it first")
    return value
