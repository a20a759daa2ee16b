"""Checks of what the methods of a scenario return."""

from typing import Any

from vernier.errors import ConfigError, ConfigProblem
from vernier.scenario.finding import KEY


def require(value: Any, kind: type[Any], method: str) -> Any:
    """The value, if it is of a type.

    Raises:
        ConfigError: it is not.
    """
    if isinstance(value, kind):
        return value
    raise wrong(method, f"must return a {kind.__name__}; got {type(value).__name__}")


def wrong(method: str, message: str) -> ConfigError:
    """The error for what a method, `package.module:Class.method`, returned."""
    return ConfigError([ConfigProblem(KEY, f"{method} {message}")])
