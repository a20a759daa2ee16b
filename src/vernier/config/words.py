"""Types and values in plain words, and guesses at what was meant."""

import difflib
from collections.abc import Iterable, Sequence
from typing import Any, Literal, get_args, get_origin

import annotated_types
from pydantic.fields import FieldInfo

from vernier.config.base import Section
from vernier.config.fields import bare, item_type, kinds, members, section_classes
from vernier.config.scalars import PlainBool, PlainFloat, PlainInt
from vernier.config.types import Words

_LONGEST = 80
_ALIKE = 0.7
_LIMITS: dict[type[Any], str] = {
    annotated_types.Ge: "at least",
    annotated_types.Gt: "above",
    annotated_types.Le: "at most",
    annotated_types.Lt: "below",
}
_NAMES: dict[Any, str] = {int: "a whole number", dict: "a mapping", type(None): "null"}


def describe_field(field: FieldInfo) -> str:
    """What a field takes: `a whole number, at least 1, or auto`."""
    return describe(field.annotation, field.metadata)


def describe(annotation: Any, metadata: Sequence[Any] = ()) -> str:
    """What a type takes, with the limits that `Annotated` adds."""
    alternatives = members(annotation)
    if len(alternatives) == 1:
        return _describe_one(alternatives[0], metadata)
    literals = [str(value) for item in alternatives for value in _literal_values(item)]
    others = [_describe_one(item, ()) for item in alternatives if not _literal_values(item)]
    last_null = [other for other in others if other == "null"]
    return join_or([*(other for other in others if other != "null"), *literals, *last_null])


def join_or(parts: Sequence[str]) -> str:
    """`a`, `a or b`, `a, b or c`; `, or` everywhere when a part holds a comma itself."""
    if any("," in part for part in parts):
        return ", or ".join(parts)
    return " or ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _describe_one(annotation: Any, metadata: Sequence[Any]) -> str:
    everything = [*_annotations(annotation), *metadata]
    bounds = _bounds(everything)
    for item in everything:
        if isinstance(item, Words):
            return item.text + bounds
    return _describe_bare(bare(annotation)) + bounds


def _describe_bare(annotation: Any) -> str:
    if _literal_values(annotation):
        return join_or([str(value) for value in _literal_values(annotation)])
    if section_classes(item_type(annotation)):
        return "a list of names or mappings" if kinds(item_type(annotation)) else "a list of mappings"
    if item_type(annotation) is not None:
        return f"a list (each {describe(item_type(annotation))})"
    if get_origin(annotation) is tuple:
        first, *_ = items = get_args(annotation)
        return f"a list of {len(items)} (each {describe(first)})"
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return "a mapping"
    return _NAMES[get_origin(annotation) or annotation]


def literal_words(annotation: Any) -> list[str]:
    """The fixed words that a type takes."""
    values = (value for item in members(annotation) for value in _literal_values(item))
    return [value for value in values if isinstance(value, str)]


def _literal_values(annotation: Any) -> tuple[Any, ...]:
    return get_args(bare(annotation)) if get_origin(bare(annotation)) is Literal else ()


def _annotations(annotation: Any) -> list[Any]:
    """What `Annotated` adds, from the inside out, with the contents of `Field(...)`."""
    extras = getattr(annotation, "__metadata__", ())
    return [part for extra in extras for part in (extra.metadata if isinstance(extra, FieldInfo) else [extra])]


def _bounds(metadata: Iterable[Any]) -> str:
    limits: dict[type[Any], str] = {}
    for item in metadata:
        match item:
            case annotated_types.Ge(ge=value) | annotated_types.Gt(gt=value) | annotated_types.Le(le=value):
                limits[type(item)] = f"{value:.12g}"
            case annotated_types.Lt(lt=value) if value != 2**63:
                limits[type(item)] = f"{value:.12g}"
    if limits.keys() == {annotated_types.Ge, annotated_types.Le}:
        return f" from {limits[annotated_types.Ge]} to {limits[annotated_types.Le]}"
    named = [f"{words} {limits[kind]}" for kind, words in _LIMITS.items() if kind in limits]
    return f", {' and '.join(named)}" if named else ""


def show(value: Any) -> str:
    """A value as YAML would have it, on one line and not too long."""
    text = _show(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _show(value: Any) -> str:
    match value:
        case None:
            return "null"
        case PlainBool() | PlainInt() | PlainFloat():
            return value.text
        case bool():
            return str(value).lower()
        case str():
            return repr(value)
        case list() | tuple():
            return f"[{', '.join(map(_show, value))}]"
        case dict():
            return "{" + ", ".join(f"{key}: {_show(item)}" for key, item in value.items()) + "}"
    return str(value)


def closest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate that a typing error, another case or a dash may have turned into `word`."""
    spellings = {_fold(candidate): candidate for candidate in candidates}
    found = difflib.get_close_matches(_fold(word), spellings, n=1, cutoff=_ALIKE)
    return spellings[found[0]] if found else None


def _fold(word: str) -> str:
    return word.lower().replace("-", "_")


def did_you_mean(*guesses: str | None) -> str:
    """`; did you mean 'a' or 'b'?`, or nothing without a guess."""
    known = list(dict.fromkeys(f"'{guess}'" for guess in guesses if guess))
    return f"; did you mean {join_or(known)}?" if known else ""
