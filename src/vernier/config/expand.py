"""`${ENV:NAME}`, `${now:%Y-%m-%d}` and `${section.key}` in the values of a config.

`$${` stands for `${` itself. A value that is one reference and nothing else takes the referred value with its type;
an environment variable is read like a value on the command line.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, final

from vernier.config.fields import Place, all_fields, dotted
from vernier.config.reading import parse_value
from vernier.config.scalars import source_text, truth
from vernier.config.words import closest, did_you_mean, show

_REFERENCE = re.compile(r"\$\$\{|\$\{([^{}]*)\}|\$\{")
_KEY = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_ALLOWED = "write ${ENV:NAME}, ${now:%Y-%m-%d}, ${section.key}, or $${ for a plain ${"


class ReferenceProblem(ValueError):
    """A reference that can't be followed; the message says why."""


@final
@dataclass(frozen=True)
class Expansion:
    """Expanded data, and what could not be expanded: place and message. Those values are left out."""

    data: dict[str, Any]
    problems: tuple[tuple[Place, str], ...]


def escape(text: str) -> str:
    """The text that expands to `text`."""
    return text.replace("${", "$${")


def expand(
    data: Mapping[str, Any],
    defaults: Mapping[str, Any],
    environment: Mapping[str, str],
    now: datetime,
) -> Expansion:
    """Replace every reference in nested data; `defaults` holds what is not given."""
    walk = _Walk(data, defaults, environment, now)
    return Expansion(walk.mapping(data, (), ()), tuple(walk.problems))


_NOTHING = object()


@final
@dataclass(frozen=True)
class _Walk:
    """One pass over the data. A trail holds the places whose references led to where the walk is."""

    data: Mapping[str, Any]
    defaults: Mapping[str, Any]
    environment: Mapping[str, str]
    now: datetime
    problems: list[tuple[Place, str]] = field(default_factory=list)

    def mapping(self, value: Mapping[str, Any], place: Place, trail: tuple[Place, ...]) -> dict[str, Any]:
        items = {key: self.value(item, (*place, key), trail) for key, item in value.items()}
        return {key: item for key, item in items.items() if item is not _NOTHING}

    def value(self, value: Any, place: Place, trail: tuple[Place, ...]) -> Any:
        """The value without references; `_NOTHING` where that failed, with the problem noted."""
        if isinstance(value, dict):
            return self.mapping(value, place, trail)
        if isinstance(value, list | tuple):
            items = [self.value(item, (*place, index), trail) for index, item in enumerate(value)]
            return _NOTHING if any(item is _NOTHING for item in items) else items
        if not isinstance(value, str) or "${" not in value:
            return value
        try:
            return self.text(value, place, trail)
        except ReferenceProblem as problem:
            if trail:
                raise
            self.problems.append((place, f"{show(value)} {problem}"))
            return _NOTHING

    def text(self, text: str, place: Place, trail: tuple[Place, ...]) -> Any:
        if place in trail:
            loop = " -> ".join(dotted(stop) for stop in (*trail[trail.index(place) :], place))
            raise ReferenceProblem(f"refers to itself: {loop}")
        whole = _REFERENCE.fullmatch(text)
        if whole is not None and whole[1] is not None:
            return self.referred(whole[1], (*trail, place))
        return _REFERENCE.sub(lambda match: self.piece(match, (*trail, place)), text)

    def piece(self, match: re.Match[str], trail: tuple[Place, ...]) -> str:
        """What a reference inside other text stands for."""
        if match[0] == "$${":
            return "${"
        if match[1] is None:
            raise ReferenceProblem("has a ${ without its }; " + _ALLOWED)
        value = source_text(self.referred(match[1], trail))
        if isinstance(truth(value), bool):
            return show(value)
        if not isinstance(value, str):
            raise ReferenceProblem(f"puts {match[0]}, which is {show(value)}, inside text")
        if value == "auto":
            raise ReferenceProblem(f"puts {match[0]} inside text, which is auto and chosen later; set it")
        return value

    def referred(self, reference: str, trail: tuple[Place, ...]) -> Any:
        """The value that the inside of `${...}` stands for."""
        form, colon, rest = reference.partition(":")
        if colon and form == "ENV" and rest:
            return self.variable(rest)
        if colon and form == "now" and rest:
            return parse_value(self.now.strftime(rest))
        if _KEY.fullmatch(reference):
            return self.field(reference, trail)
        raise ReferenceProblem(f"has the unknown reference ${{{reference}}}; {_ALLOWED}")

    def variable(self, name: str) -> Any:
        if name not in self.environment:
            raise ReferenceProblem(f"needs the environment variable {name}, which is not set; export {name}=...")
        return parse_value(self.environment[name])

    def field(self, key: str, trail: tuple[Place, ...]) -> Any:
        place = tuple(key.split("."))
        for source in (self.data, self.defaults):
            found = _look_up(source, place)
            if found is not _NOTHING:
                return self.value(found, place, trail)
        remedy = did_you_mean(closest(key, all_fields())) or f"; {_ALLOWED}"
        raise ReferenceProblem(f"refers to {key}, which does not exist{remedy}")


def _look_up(data: Any, place: tuple[str, ...]) -> Any:
    for part in place:
        if not isinstance(data, Mapping) or part not in data:
            return _NOTHING
        data = data[part]
    return data
