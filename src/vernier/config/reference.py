"""The config reference, docs/config-reference.md, from the schema."""

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic.fields import FieldInfo

from vernier.config.augment import AugmentConfig
from vernier.config.base import Section
from vernier.config.fields import all_fields, item_type, kind_names, section_classes
from vernier.config.model import ModelConfig
from vernier.config.root import Config
from vernier.config.words import describe_field

_INTRODUCTION = """\
# Config reference

Every key of a config, generated from the schema. A key is written `section.key=value` or `--section.key value` on
the command line, and nested in a YAML file:

```yaml
data: photos            # the same as data.source
train:
  epochs: 20
```

A number can be arithmetic, such as `1/127.5`. `auto` is replaced before the first step; the `config.yaml` in the run
directory holds the choice and the reason for it. `${ENV:NAME}`, `${now:%Y-%m-%d}` and `${section.key}` stand for an
environment variable, the time of the start and another value of the config; `$${` is a plain `${`.
"""


def reference_markdown() -> str:
    """The whole reference as Markdown, with a table a section, kind and operation."""
    return "\n".join([_INTRODUCTION, *_top_level(), *_all_sections(), *_operations(), *_items()])


def fields_table(fields: Mapping[str, FieldInfo]) -> Iterator[str]:
    """The lines of a table of fields: key, what it takes, default, meaning."""
    return _table(dict(fields), "")


def _top_level() -> Iterator[str]:
    plain = {name: field for name, field in Config.model_fields.items() if not section_classes(field.annotation)}
    yield from ("## Top level", "", *_table(plain, ""), "")


def _all_sections() -> Iterator[str]:
    for name, field in Config.model_fields.items():
        choices = section_classes(field.annotation)
        if len(choices) == 1:
            yield from (f"## {name}", "", _prose(choices[0]), "", *_table(choices[0].model_fields, f"{name}."), "")
        elif choices:
            yield from (f"## {name}", "", f"`{name}=KIND` chooses one of these; {_default_kind(field)} by default.", "")
            yield from _kinds(choices, f"{name}.")


def _default_kind(field: FieldInfo) -> str:
    return f"`{field.get_default(call_default_factory=True).name}`"


def _kinds(choices: tuple[type[Section], ...], prefix: str) -> Iterator[str]:
    for section in choices:
        fields = {name: field for name, field in section.model_fields.items() if name != "name"}
        names = " or ".join(f"`{name}`" for name in kind_names(section))
        yield from (f"### {names}", "", _prose(section), "")
        if fields:
            yield from (*_table(fields, prefix), "")


def _operations() -> Iterator[str]:
    yield from ("## Operations", "", "What `augment.train` and `augment.eval` are lists of: a name, or", "")
    yield from ("`{name: NAME, ...}` with the fields below. `change_rate` is another name of `p`.", "")
    yield from _kinds(section_classes(item_type(AugmentConfig.model_fields["train"].annotation)), "")


def _items() -> Iterator[str]:
    layers = section_classes(item_type(ModelConfig.model_fields["head"].annotation))
    yield from ("## Layers of model.head", "", "A name, or `{name: NAME, ...}` with the field below.", "")
    yield from _kinds(layers, "")
    for key, field in all_fields().items():
        for entry in section_classes(item_type(field.annotation)):
            if not kind_names(entry):
                yield from (f"## Entries of {key}", "", _prose(entry), "", *_table(entry.model_fields, ""), "")


def _table(fields: dict[str, FieldInfo], prefix: str) -> Iterator[str]:
    yield "| key | takes | default | meaning |"
    yield "|---|---|---|---|"
    yield from _rows(fields, prefix)


def _rows(fields: dict[str, FieldInfo], prefix: str) -> Iterator[str]:
    for name, field in fields.items():
        for nested in section_classes(field.annotation):
            yield from _rows(nested.model_fields, f"{prefix}{name}.")
        if not section_classes(field.annotation):
            meaning = _cell(field.description or "")
            yield f"| `{prefix}{name}` | {_cell(describe_field(field))} | {_default(field)} | {meaning} |"


def _default(field: FieldInfo) -> str:
    return "required" if field.is_required() else f"`{default_word(field)}`"


def default_word(field: FieldInfo) -> str:
    """The default as it would be written; REQUIRED for a field without."""
    return "REQUIRED" if field.is_required() else _word(field.get_default(call_default_factory=True))


def _word(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, tuple):
        return f"[{', '.join(map(_word, value))}]"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _prose(section: type[Section]) -> str:
    return inspect.cleandoc(section.__doc__ or "")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")


if __name__ == "__main__":
    print(reference_markdown(), end="")
