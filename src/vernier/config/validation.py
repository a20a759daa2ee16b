"""From nested data to a Config, with every problem found on the way.

Each section is checked on its own: what is wrong in it is reported and left out, and the rest is checked again
until it stands. So a wrong field hides no other problem.
"""

from collections.abc import Mapping, Sequence
from typing import Any, final

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from vernier.config.base import FieldConflict, Section
from vernier.config.fields import (
    DEFAULT_KINDS,
    Place,
    dotted,
    item_type,
    kinds,
    section_classes,
)
from vernier.config.root import Config
from vernier.config.spellings import OTHER_SPELLINGS, plain
from vernier.config.suggestions import guess_key, some_fields, unknown_key
from vernier.config.words import closest, describe, describe_field, did_you_mean, join_or, literal_words, show
from vernier.errors import ConfigProblem

_MISSING = object()


@final
class Findings:
    """Problems, and the places that were left out because of them."""

    def __init__(self, written: Mapping[Place, str]) -> None:
        """`written` says how the user named a place, where that is not its dotted key."""
        self._written = written
        self.problems: list[ConfigProblem] = []
        self._left_out: list[Place] = []

    def add(self, place: Place, message: str) -> None:
        """Report a problem with the value at `place`, which is left out."""
        self.problems.append(ConfigProblem(self.key(place), message))
        self._left_out.append(place)

    def key(self, place: Place) -> str:
        """The key as the user wrote it."""
        for end in range(len(place), 0, -1):
            if place[:end] in self._written:
                return dotted((self._written[place[:end]], *place[end:]))
        return dotted(place) or "config"

    def leave_out(self, place: Place) -> None:
        """Say that the value at `place` is not what the user meant, so that no other message relies on it."""
        self._left_out.append(place)

    def touch(self, key: str) -> bool:
        """Whether the value at a dotted key, or part of it, was left out."""
        place: Place = tuple(key.split("."))
        return any(all(a == b for a, b in zip(place, other, strict=False)) for other in self._left_out)


def validate(data: Mapping[str, Any], findings: Findings) -> Config:
    """The Config of nested data; what is wrong is reported and has its default value."""
    config = check_section(Config, data, (), findings)
    return config if isinstance(config, Config) else Config()


def check_section(section: type[Section], data: Any, place: Place, findings: Findings) -> Section | None:
    """The section at a place of the config; None, with the reason among the findings, when it can't be had."""
    if data is None:
        data = {}
    if not isinstance(data, Mapping):
        findings.add(place, f"must be a mapping with fields such as {some_fields(section)}; got {show(data)}")
        return None
    values: dict[str, Any] = {}
    for name, value in data.items():
        if name not in section.model_fields and section.model_config.get("extra") == "allow":
            values[name] = value
            continue
        if name not in section.model_fields:
            _report_unknown(section, name, value, place, findings)
            continue
        ready = _nested(section.model_fields[name], value, (*place, name), findings)
        if ready is not None or value is None:
            values[name] = ready
    return _construct(section, values, place, findings)


def _nested(field: FieldInfo, value: Any, place: Place, findings: Findings) -> Any:
    """Sections and lists of sections, built; any other value as it is. None when it can't be had."""
    if section_classes(field.annotation):
        optional = not field.is_required() and field.default is None
        return None if optional and value is None else _one_of(field.annotation, value, place, findings)
    items = item_type(field.annotation)
    if section_classes(items) and isinstance(value, list):
        built = [_one_of(items, item, (*place, index), findings) for index, item in enumerate(value)]
        return built if all(item is not None for item in built) else None
    return value


def _one_of(annotation: Any, value: Any, place: Place, findings: Findings) -> Section | None:
    """The section that `value` names, or the only one there is."""
    choices = kinds(annotation)
    if not choices:
        return check_section(section_classes(annotation)[0], value, place, findings)
    if value is None and not isinstance(place[-1], int):
        value = {}
    if not isinstance(value, Mapping):
        findings.add(place, f"must be a name or a mapping with a name; got {show(value)}")
        return None
    name = value.get("name", DEFAULT_KINDS.get(str(place[0])))
    if name is None:
        findings.add(place, f"needs a name, one of {', '.join(choices)}; got {show(dict(value))}")
        return None
    if not isinstance(name, str) or name not in choices:
        guess = did_you_mean(OTHER_SPELLINGS.get(plain(str(name))) or closest(str(name), choices))
        findings.add((*place, "name"), f"must be {join_or(list(choices))}; got {show(name)}{guess}")
        return None
    return check_section(choices[name], value, place, findings)


def _report_unknown(section: type[Section], name: str, value: Any, place: Place, findings: Findings) -> None:
    findings.add((*place, name), unknown_key(section, name, value, place))
    for guess in guess_key(section, name, place):
        findings.leave_out(tuple(guess.split(".")))


def _construct(section: type[Section], values: dict[str, Any], place: Place, findings: Findings) -> Section | None:
    """The section of these values, without those that are wrong; None when a field that it needs is missing."""
    try:
        return section.model_validate(values)
    except ValidationError as error:
        details = error.errors(include_url=False)
    conflicts: list[FieldConflict] = [detail["ctx"]["error"] for detail in details if not detail["loc"]]
    for conflict in conflicts:
        findings.add((*place, conflict.fields[0]), conflict.message)
    wrong = list(dict.fromkeys(str(detail["loc"][0]) for detail in details if detail["loc"]))
    for name in wrong:
        locations = [detail["loc"] for detail in details if detail["loc"][:1] == (name,)]
        _report_field(section.model_fields[name], values.get(name, _MISSING), (*place, name), locations, findings)
    if any(name not in values for name in wrong):
        return None
    gone = {*wrong, *(name for conflict in conflicts for name in conflict.fields)}
    rest = {name: value for name, value in values.items() if name not in gone}
    return _construct(section, rest, place, findings)


def _report_field(field: FieldInfo, value: Any, place: Place, locations: Sequence[Place], findings: Findings) -> None:
    """Report a wrong field, by its items where it is a list of them."""
    if value is _MISSING:
        if not findings.touch(dotted(place)):
            findings.add(place, f"is missing; it must be {describe_field(field)}")
        return
    item = item_type(field.annotation)
    indices = {part for location in locations for part in _outermost_index(location)}
    if item is None or not indices or not isinstance(value, list | tuple):
        findings.add(place, _wrong_value(value, field.annotation, field.metadata))
        return
    for index in sorted(indices):
        findings.add((*place, index), _wrong_value(value[index], item, ()))


def _outermost_index(location: Place) -> list[int]:
    return [part for part in location if isinstance(part, int)][:1]


def _wrong_value(value: Any, annotation: Any, metadata: Sequence[Any]) -> str:
    guess = closest(value, literal_words(annotation)) if isinstance(value, str) else None
    return f"must be {describe(annotation, metadata)}; got {show(value)}{did_you_mean(guess)}"
