"""The JSON Schema (draft 2020-12) that editors complete and check config files by.

Pydantic makes the schema of the full form. What the reader accepts besides is added here: short forms, aliases,
references in place of values, arithmetic in place of numbers, and numbers in place of text.
"""

from collections.abc import Sequence
from typing import Any

from vernier.config import arithmetic, duration
from vernier.config.augment import AugmentConfig, Operation
from vernier.config.base import Section
from vernier.config.channels import COLOR_MODES
from vernier.config.fields import DEFAULT_KINDS, SHORT_FORMS, SHORT_ITEMS, item_type, kind_names, kinds, section_classes
from vernier.config.model import ModelConfig
from vernier.config.root import Config

Schema = dict[str, Any]

_REFERENCE = r"\$\{.+\}"
_ABOUT = ("title", "description", "default")
_LIMITS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
_ITEMS = {
    "AnyOperation": section_classes(item_type(AugmentConfig.model_fields["train"].annotation)),
    "HeadLayer": section_classes(item_type(ModelConfig.model_fields["head"].annotation)),
}
"""Definitions of what lists of kinds hold, which have several forms."""


def json_schema() -> Schema:
    """The schema of the config files that the reader accepts, as plain JSON data."""
    made = Config.model_json_schema()
    definitions = {name: _with_values(section) for name, section in made.pop("$defs").items()}
    definitions["DataConfig"]["properties"]["color_mode"] = {"enum": list(COLOR_MODES)}
    definitions["DataConfig"]["properties"]["image_size"] = definitions["ModelConfig"]["properties"]["input_size"]
    for section in DEFAULT_KINDS:
        for name, kind in kinds(Config.model_fields[section].annotation).items():
            _require_name(definitions[kind.__name__], name)
    for name, sections in _ITEMS.items():
        definitions[name] = _any_item(sections, definitions)
    for section, name in (key.split(".") for key in SHORT_FORMS if "." in key):
        (holder,) = section_classes(Config.model_fields[section].annotation)
        definitions[holder.__name__]["properties"][name]["anyOf"].append({"type": ["string", "number"]})
    root = _with_values(made)
    properties = {name: _short_form(name, schema) for name, schema in root["properties"].items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **root,
        "title": "Vernier config",
        "properties": properties,
        "patternProperties": {rf"^({'|'.join(properties)})\.": True},
        "$defs": definitions,
    }


def _with_values(section: Schema) -> Schema:
    """A section's schema whose fields take all that the reader takes for their values."""
    return {**section, "properties": {name: _field(field) for name, field in section["properties"].items()}}


def _field(schema: Schema) -> Schema:
    about = {key: schema[key] for key in _ABOUT if key in schema and key != "title"}
    value = _value({key: part for key, part in schema.items() if key not in _ABOUT})
    if "$ref" in value or "oneOf" in value:
        return {**value, **about}
    choices = value.get("anyOf", [value])
    single = [choice["items"] for choice in choices if "items" in choice and "maxItems" not in choice]
    return {"anyOf": [*choices, *single, {"type": "string", "pattern": _REFERENCE}], **about}


def _value(schema: Schema) -> Schema:
    """The schema of one value: arithmetic for numbers, numbers for text, units for durations."""
    schema = {_LIMITS.get(key, key): part for key, part in schema.items() if key != "discriminator"}
    for key in ("anyOf", "prefixItems"):
        if key in schema:
            schema[key] = [_value(part) for part in schema[key]]
    if "items" in schema:
        schema["items"] = _item(schema["items"]) if "oneOf" in schema["items"] else _value(schema["items"])
    if isinstance(schema.get("additionalProperties"), dict):
        schema["additionalProperties"] = _value(schema["additionalProperties"])
    if schema.get("type") == "number":
        return {"anyOf": [schema, {"type": "string", "pattern": f"^{arithmetic.PATTERN}$"}]}
    if schema.get("type") == "string" and "examples" in schema:
        return {**schema, "pattern": f"^(?:{duration.PATTERN})$"}
    if schema == {"type": "string"}:
        return {"type": ["string", "number", "boolean"]}
    return schema


def _short_form(name: str, schema: Schema) -> Schema:
    """A section, its short form where it has one, or nothing; any other value as it is."""
    if "$ref" not in schema and "oneOf" not in schema:
        return {**schema, "anyOf": [*schema["anyOf"], {"type": "string"}]} if name in SHORT_FORMS else schema
    about = {key: schema[key] for key in _ABOUT if key in schema}
    section = {key: value for key, value in schema.items() if key not in _ABOUT}
    short: list[Schema] = []
    if name in DEFAULT_KINDS:
        names = list(kinds(Config.model_fields[name].annotation))
        short = [{"enum": names}, {"type": "string", "pattern": _REFERENCE}]
    elif name in SHORT_FORMS:
        short = [{"type": ["string", "number"]}]
    return {"anyOf": [section, *short, {"type": "null"}], **about}


def _require_name(definition: Schema, name: str) -> None:
    """Make a kind that is not the default one name itself, so that fields alone mean the default kind."""
    definition["properties"]["name"] = {"const": name}
    if name not in DEFAULT_KINDS.values():
        definition["required"] = ["name"]


def _item(schema: Schema) -> Schema:
    """The definition of what a list of kinds holds."""
    kind = schema["oneOf"][0]["$ref"].rpartition("/")[2]
    name = next(name for name, sections in _ITEMS.items() if kind in {section.__name__ for section in sections})
    return {"$ref": f"#/$defs/{name}"}


def _any_item(sections: Sequence[type[Section]], definitions: dict[str, Schema]) -> Schema:
    """An item of a list of kinds: a name, `{name: X, fields}`, or `{X: {fields}}`, with some also `{X: value}`.

    The second form's definitions are completed.
    """
    by_name: dict[str, Schema] = {}
    for section in sections:
        definition = definitions[section.__name__]
        fields = {name: field for name, field in definition["properties"].items() if name != "name"}
        if issubclass(section, Operation):
            fields["change_rate"] = {**fields["p"], "description": "Another name of p."}
        alone: Schema = {"type": ["object", "null"], "properties": fields, "additionalProperties": False}
        names = kind_names(section)
        definition["properties"] = {"name": {"enum": list(names)}, **fields}
        definition["required"] = list(dict.fromkeys(["name", *definition.get("required", ())]))
        for name in names:
            by_name[name] = {"anyOf": [alone, fields[SHORT_ITEMS[name]]]} if name in SHORT_ITEMS else alone
    single = {"type": "object", "properties": by_name, "additionalProperties": False}
    references = [{"$ref": f"#/$defs/{section.__name__}"} for section in sections]
    others = _of_other_people() if issubclass(sections[0], Operation) else []
    one_key = {"minProperties": 1, "maxProperties": 1}
    return {"anyOf": [{"enum": list(by_name)}, *references, {**single, **one_key}, *others]}


def _of_other_people() -> list[Schema]:
    """Forms of an operation that is a function or a transform of another package, which has a dot or a colon."""
    name: Schema = {"type": "string", "pattern": "[.:]"}
    named: Schema = {"type": "object", "properties": {"name": name}, "required": ["name"]}
    keyed: Schema = {"type": "object", "patternProperties": {"[.:]": True}, "additionalProperties": False}
    return [name, named, {**keyed, "minProperties": 1, "maxProperties": 1}]
