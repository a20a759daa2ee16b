"""What `vernier train --help [SECTION]` says of the keys: one line a key, or everything about a section."""

import inspect
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
    return "\n\n".join("\n".join(_kind(section, choice, len(choices) > 1, width)) for choice in choices)


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
    default = field.get_default(call_default_factory=True).name
    yield from textwrap.wrap(
        f"{name}: {default} unless you choose another: {', '.join(names)}", width, subsequent_indent="  "
    )
    yield from _lines(_common(choices), f"{name}.", width)
    yield f"  ... and fields of each kind: vernier train --help {name}"


def _common(choices: Sequence[type[Section]]) -> dict[str, FieldInfo]:
    first, *others = choices
    shared = set(first.model_fields).intersection(*(other.model_fields for other in others)) - {"name"}
    return {name: field for name, field in first.model_fields.items() if name in shared}


def _lines(fields: Mapping[str, FieldInfo], prefix: str, width: int) -> Iterator[str]:
    for name, field in fields.items():
        nested = section_classes(field.annotation)
        if nested:
            for section in nested:
                yield from _lines(section.model_fields, f"{prefix}{name}.", width)
        else:
            yield _line(f"{prefix}{name}", field, width)


def _line(key: str, field: FieldInfo, width: int) -> str:
    """`key=default  first sentence`, cut to the width."""
    left = f"  {key}={default_word(field)}"
    text = f"{left:<{_KEY_WIDTH}}  {_summary(field.description or '')}".rstrip()
    return text if len(text) <= width else f"{text[: width - 3].rstrip()}..."


def _summary(text: str) -> str:
    """The first sentence in one line."""
    words = " ".join(text.split())
    end = words.find(". ")
    return words if end < 0 else words[: end + 1]


def _kind(section: str, kind: type[Section], several: bool, width: int) -> Iterator[str]:
    names = " or ".join(kind_names(kind))
    yield f"{section}={names}" if several else section
    for paragraph in inspect.cleandoc(kind.__doc__ or "").split("\n\n"):
        yield from textwrap.wrap(" ".join(paragraph.split()), width, initial_indent="  ", subsequent_indent="  ")
    yield from _details({k: v for k, v in kind.model_fields.items() if not (several and k == "name")}, section, width)


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
