"""What `vernier train --help [SECTION]` says of the keys: one line a key, or everything about a section."""

import inspect
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches

from pydantic.fields import FieldInfo

from vernier.config.base import Section
from vernier.config.fields import item_type, kind_names, section_classes
from vernier.config.reference import default_word
from vernier.config.root import Config
from vernier.config.words import describe_field
from vernier.errors import ConfigError, ConfigProblem

_KEY_WIDTH = 38


def overview(width: int) -> str:
    """All sections with a line a key, at most `width` wide."""
    lines: list[str] = []
    for name, field in Config.model_fields.items():
        lines += ["", *_section_overview(name, field, width)]
    return "\n".join(lines).lstrip("\n")


def details(section: str, width: int) -> str:
    """Everything about a section: what each key takes, its default and its meaning.

    Raises:
        ConfigError: there is no such section.
    """
    if section not in Config.model_fields:
        near = get_close_matches(section, Config.model_fields, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ConfigError([ConfigProblem("--help", f"{section!r} is no section.{hint} {_sections()}")])
    field = Config.model_fields[section]
    choices = section_classes(field.annotation)
    if not choices:
        return "\n".join(_detail(section, field, width))
    if len(choices) == 1:
        return "\n".join(_kind(section, section, choices[0], choices[0].model_fields, width))
    alike = _alike(choices)
    paragraphs = ["\n".join([f"{section}, of all kinds", *_details(alike, section, width)])]
    for choice in choices:
        own = {name: each for name, each in choice.model_fields.items() if name not in alike and name != "name"}
        title = f"{section}={' or '.join(kind_names(choice))}"
        paragraphs.append("\n".join(_kind(title, section, choice, own, width)))
    return "\n\n".join(paragraphs)


def _sections() -> str:
    return f"Sections: {', '.join(Config.model_fields)}"


def _section_overview(name: str, field: FieldInfo, width: int) -> Iterator[str]:
    choices = section_classes(field.annotation)
    if not choices:
        yield _line(name, field, width)
        return
    if len(choices) == 1:
        summary = _summary(inspect.cleandoc(choices[0].__doc__ or ""))
        yield from textwrap.wrap(f"{name}: {summary}", width, subsequent_indent="  ")
        yield from _lines(choices[0].model_fields, f"{name}.", width)
        return
    names = [kind for choice in choices for kind in kind_names(choice)]
    default = field.get_default(call_default_factory=True)
    yield from textwrap.wrap(
        f"{name}: {default.name} unless you choose another: {', '.join(names)}", width, subsequent_indent="  "
    )
    shared = _shared(choices)
    fields = {key: value for key, value in type(default).model_fields.items() if key in shared}
    yield from _lines(fields, f"{name}.", width)
    yield f"  ... and fields of each kind: vernier train --help {name}"


def _shared(choices: Sequence[type[Section]]) -> set[str]:
    """Names of the fields that all kinds have."""
    first, *others = choices
    return set(first.model_fields).intersection(*(other.model_fields for other in others)) - {"name"}


def _alike(choices: Sequence[type[Section]]) -> dict[str, FieldInfo]:
    """Fields that are the same in all kinds, defaults and meaning included."""
    first, *others = choices
    return {
        name: field
        for name, field in first.model_fields.items()
        if name in _shared(choices) and all(_same(field, other.model_fields[name]) for other in others)
    }


def _same(one: FieldInfo, other: FieldInfo) -> bool:
    return one.description == other.description and default_word(one) == default_word(other)


def _lines(fields: Mapping[str, FieldInfo], prefix: str, width: int) -> Iterator[str]:
    """A line a key; a section that is off by default is one line with the names of its keys."""
    for name, field in fields.items():
        nested = section_classes(field.annotation)
        if nested and field.default is None:
            inner = ", ".join(key for section in nested for key in section.model_fields)
            about = _summary(inspect.cleandoc(nested[0].__doc__ or ""))
            yield _cut(f"  {prefix}{name}=null", f"{about} Keys: {inner}", width)
        elif nested:
            for section in nested:
                yield from _lines(section.model_fields, f"{prefix}{name}.", width)
        else:
            yield _line(f"{prefix}{name}", field, width)


def _line(key: str, field: FieldInfo, width: int) -> str:
    return _cut(f"  {key}={default_word(field)}", _summary(field.description or ""), width)


def _cut(left: str, about: str, width: int) -> str:
    """`key=default  first sentence`, cut to the width."""
    text = f"{left:<{_KEY_WIDTH}}  {about}".rstrip()
    return text if len(text) <= width else f"{text[: width - 3].rstrip()}..."


def _summary(text: str) -> str:
    """The first sentence in one line."""
    words = " ".join(text.split())
    end = re.search(r"(?<! al)\. ", words)
    return words if end is None else words[: end.start() + 1]


def _kind(title: str, section: str, kind: type[Section], fields: Mapping[str, FieldInfo], width: int) -> Iterator[str]:
    yield title
    for paragraph in inspect.cleandoc(kind.__doc__ or "").split("\n\n"):
        yield from textwrap.wrap(" ".join(paragraph.split()), width, initial_indent="  ", subsequent_indent="  ")
    yield from _details(fields, section, width)


def _details(fields: Mapping[str, FieldInfo], prefix: str, width: int) -> Iterator[str]:
    for name, field in fields.items():
        nested = section_classes(field.annotation)
        for each in nested:
            yield from _details(each.model_fields, f"{prefix}.{name}", width)
        if not nested:
            yield from _detail(f"{prefix}.{name}", field, width)
        for entry in section_classes(item_type(field.annotation)):
            if not kind_names(entry):
                yield from _details(entry.model_fields, f"{prefix}.{name}[N]", width)


def _detail(key: str, field: FieldInfo, width: int) -> Iterator[str]:
    yield f"  {key}={default_word(field)}"
    takes = f"takes {describe_field(field)}"
    for text in (takes, field.description or ""):
        indent = " " * 6
        yield from textwrap.wrap(" ".join(text.split()), width, initial_indent=indent, subsequent_indent=indent)
