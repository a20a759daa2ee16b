"""Config trees as dotted keys."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel


def flatten(tree: Mapping[str, Any] | BaseModel, prefix: str = "") -> dict[str, Any]:
    """Dotted key -> value; lists and empty mappings are values."""
    if isinstance(tree, BaseModel):
        tree = tree.model_dump(mode="json")
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def overlay(tree: Mapping[str, Any], flat: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of the tree with other values at some dotted keys."""
    copy = {key: dict(value) if isinstance(value, Mapping) else value for key, value in tree.items()}
    for key, value in flat.items():
        head, _, rest = key.partition(".")
        inner = copy.get(head)
        copy[head] = overlay(inner if isinstance(inner, Mapping) else {}, {rest: value}) if rest else value
    return copy
