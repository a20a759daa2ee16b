"""A Config as a YAML file that reads back equal, and what differs or is undecided between configs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import yaml

from vernier.atomic import write_text_atomically
from vernier.config.base import Section
from vernier.config.expand import escape
from vernier.config.fields import Place, dotted
from vernier.config.reading import CoreResolver
from vernier.config.root import Config
from vernier.config.scalars import plain_value
from vernier.config.words import literal_words, show

_ALWAYS_AUTO = ("train.speed",)


@final
@dataclass(frozen=True)
class Change:
    """A value that differs; None stands for null and for a field that the config's kind does not have."""

    key: str
    old: Any
    new: Any

    def __str__(self) -> str:
        return f"{self.key}: {show(self.old)} -> {show(self.new)}"


def config_text(config: Config, reasons: Mapping[str, str]) -> str:
    """The config as block YAML, every field written out.

    Args:
        config: what to write.
        reasons: dotted key to a sentence, which stands as a comment behind the value.
    """
    values = escaped(plain_value(config.model_dump()))
    return "\n".join(_mapping_lines(values, (), reasons)) + "\n"


def escaped(value: Any) -> Any:
    """The value with its text such that expansion gives it back."""
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, list):
        return [escaped(item) for item in value]
    return {key: escaped(item) for key, item in value.items()} if isinstance(value, dict) else value


def write_config(path: Path, config: Config, reasons: Mapping[str, str]) -> None:
    """Write `config_text` so that `path` holds either all of it or what it held before.

    Raises:
        RunError: the system refuses to write.
    """
    write_text_atomically(path, config_text(config, reasons))


def _mapping_lines(mapping: Mapping[str, Any], place: Place, reasons: Mapping[str, str]) -> Iterator[str]:
    for key, value in mapping.items():
        below = (*place, key)
        name, comment = _flow(key), _comment(reasons.get(dotted(below)))
        if isinstance(value, dict) and value:
            yield f"{name}:{comment}"
            yield from (f"  {line}" for line in _mapping_lines(value, below, reasons))
        elif isinstance(value, list) and any(isinstance(item, dict) and item for item in value):
            yield f"{name}:{comment}"
            yield from (f"  {line}" for line in _list_lines(value, below, reasons))
        else:
            yield f"{name}: {_flow(value)}{comment}"


def _list_lines(items: list[Any], place: Place, reasons: Mapping[str, str]) -> Iterator[str]:
    for index, item in enumerate(items):
        if isinstance(item, dict) and item:
            named_first = {key: item[key] for key in sorted(item, key=lambda key: key != "name")}
            first, *others = _mapping_lines(named_first, (*place, index), reasons)
            yield f"- {first}"
            yield from (f"  {line}" for line in others)
        else:
            yield f"- {_flow(item)}"


def _comment(reason: str | None) -> str:
    printable = "".join(character if character.isprintable() else " " for character in reason or "")
    return f"  # {' '.join(printable.split())}" if printable.strip() else ""


_BOOLEANS_TO_OTHERS = ("y", "yes", "on", "n", "no", "off")
"""Text to us and to YAML 1.2; many readers go by YAML 1.1."""


@final
class _CoreDumper(CoreResolver, yaml.SafeDumper):
    """Quotes what the reader would take for something else than text."""

    def ignore_aliases(self, data: Any) -> bool:
        """Every value is written out."""
        return True


def _represent_text(dumper: _CoreDumper, text: str) -> yaml.ScalarNode:
    plain = text.isprintable() and text != "<<" and text.lower() not in _BOOLEANS_TO_OTHERS
    style = None if plain else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_CoreDumper.add_representer(str, _represent_text)


def _flow(value: Any) -> str:
    """A value on one line, without the reader's doubt about its type."""
    text = yaml.dump([value], Dumper=_CoreDumper, default_flow_style=True, width=float("inf"), allow_unicode=True)
    return str(text).strip().removeprefix("[").removesuffix("]")


def config_diff(old: Config, new: Config) -> tuple[Change, ...]:
    """Every field whose value differs, section by section; lists are compared as a whole."""
    before, after = dict(_leaves(old, ())), dict(_leaves(new, ()))
    sections = list(Config.model_fields)
    keys = sorted(dict.fromkeys([*before, *after]), key=lambda key: sections.index(key.partition(".")[0]))
    return tuple(
        Change(key, plain_value(before.get(key)), plain_value(after.get(key)))
        for key in keys
        if before.get(key) != after.get(key)
    )


def _leaves(section: Section, place: Place) -> Iterator[tuple[str, Any]]:
    """Dotted key and value of every field, with nested sections opened and lists as plain data."""
    for name, dumped in section.model_dump().items():
        value = getattr(section, name)
        if isinstance(value, Section):
            yield from _leaves(value, (*place, name))
        else:
            yield dotted((*place, name)), dumped


def unresolved(config: Config) -> tuple[str, ...]:
    """Dotted keys that are still `auto`, those of operations too, except `train.speed`."""
    return tuple(key for key in _undecided(config, ()) if key not in _ALWAYS_AUTO)


def _undecided(section: Section, place: Place) -> Iterator[str]:
    for name, field in type(section).model_fields.items():
        value, here = getattr(section, name), (*place, name)
        if isinstance(value, Section):
            yield from _undecided(value, here)
        elif isinstance(value, tuple):
            for index, item in enumerate(value):
                if isinstance(item, Section):
                    yield from _undecided(item, (*here, index))
        elif value == "auto" and "auto" in literal_words(field.annotation):
            yield dotted(here)
