"""From what users may write to the one form that is validated: short forms, aliases, merging.

Three ways to write the same thing, `optimizer: adamw`, `optimizer.name: adamw` and `optimizer: {name: adamw}`,
become the last one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, final

from vernier.config.fields import DEFAULT_KINDS, SHORT_FORMS, Place, all_fields, dotted, item_type
from vernier.config.words import describe_field, show

_KIND_SECTIONS = ("model", "optimizer", "schedule")
_IMAGE_SIZE: Place = ("data", "image_size")
_INPUT_SIZE: Place = ("model", "input_size")


@final
@dataclass(frozen=True)
class Nested:
    """Nested data, how the user named places that have another name now, and what could not be nested."""

    data: dict[str, Any]
    written: dict[Place, str]
    problems: tuple[tuple[Place, str], ...] = ()


def nest(assignments: Iterable[tuple[str, Any]]) -> Nested:
    """Nested data of dotted keys and their values; later ones win, mappings merge, short forms are spelt out."""
    data: dict[str, Any] = {}
    written: dict[Place, str] = {}
    for key, value in assignments:
        place: Place = tuple(key.split("."))
        if key in SHORT_FORMS and not isinstance(value, Mapping):
            place = (key, SHORT_FORMS[key])
            written[place] = key
        data = merge(data, _at(place, value))
    return _input_size(Nested(data, written))


def _at(place: Place, value: Any) -> dict[str, Any]:
    """A mapping that holds `value` at `place`."""
    for part in reversed(place):
        value = {str(part): value}
    return dict(value)


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Both, with `above` winning; mappings on both sides are merged, lists are replaced."""
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = merge(merged[key], value) if both else value
    return merged
