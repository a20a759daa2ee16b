"""The schema accepts what the reader accepts, by a small validator of the keywords that it uses."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from config_strategies import configs
from hypothesis import HealthCheck, given, settings

from vernier.config.json_schema import json_schema
from vernier.config.loading import config_from_mapping, load_config
from vernier.config.reading import read_yaml
from vernier.config.scalars import plain_value
from vernier.config.writing import config_text
from vernier.errors import ConfigError

SCHEMA = json_schema()
ANNOTATIONS = {"title", "description", "default", "examples", "$schema", "$defs"}
TYPES: dict[str, Any] = {
    "string": str, "number": (int, float), "integer": int, "boolean": bool, "null": type(None), "array": list,
    "object": dict,
}  # fmt: skip


def accepts(schema: Any, value: Any) -> bool:
    if schema is True:
        return True
    return all(KEYWORDS[key](part, value, schema) for key, part in schema.items() if key not in ANNOTATIONS)


def of_type(names: Any, value: Any, _: Any) -> bool:
    names = [names] if isinstance(names, str) else names
    return any(isinstance(value, TYPES[name]) and isinstance(value, bool) <= (name == "boolean") for name in names)


def properties(parts: dict, value: Any, schema: dict) -> bool:
    return not isinstance(value, dict) or all(accepts(parts[key], item) for key, item in value.items() if key in parts)


def no_others(allowed: Any, value: Any, schema: dict) -> bool:
    if allowed is True or not isinstance(value, dict):
        return True
    named, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    others = [key for key in value if key not in named and not any(re.search(p, key) for p in patterns)]
    return not others if allowed is False else all(accepts(allowed, value[key]) for key in others)


def number(compare):
    return lambda bound, value, _: (
        isinstance(value, bool) or not isinstance(value, int | float) or compare(value, bound)
    )


KEYWORDS = {
    "type": of_type,
    "const": lambda part, value, _: value == part,
    "enum": lambda part, value, _: value in part,
    "anyOf": lambda part, value, _: any(accepts(choice, value) for choice in part),
    "oneOf": lambda part, value, _: sum(accepts(choice, value) for choice in part) == 1,
    "$ref": lambda part, value, _: accepts(SCHEMA["$defs"][part.removeprefix("#/$defs/")], value),
    "properties": properties,
    "patternProperties": lambda part, value, _: True,
    "additionalProperties": no_others,
    "required": lambda part, value, _: not isinstance(value, dict) or set(part) <= set(value),
    "items": lambda part, value, _: not isinstance(value, list) or all(accepts(part, item) for item in value),
    "prefixItems": lambda part, value, _: not isinstance(value, list) or all(map(accepts, part, value)),
    "minItems": lambda part, value, _: not isinstance(value, list) or len(value) >= part,
    "maxItems": lambda part, value, _: not isinstance(value, list) or len(value) <= part,
    "minProperties": lambda part, value, _: not isinstance(value, dict) or len(value) >= part,
    "maxProperties": lambda part, value, _: not isinstance(value, dict) or len(value) <= part,
    "pattern": lambda part, value, _: not isinstance(value, str) or re.search(part, value) is not None,
    "minimum": number(lambda value, bound: value >= bound),
    "exclusiveMinimum": number(lambda value, bound: value > bound),
    "maximum": number(lambda value, bound: value <= bound),
    "exclusiveMaximum": number(lambda value, bound: value < bound),
}

VALID = [
    "data: x",
    "data: x\naugment: {train: [a.b:c, {name: a.b:c, k: 1}, {torchvision.transforms.v2.RGB: {}}]}",
    "data: 2024\nmodel: resnet18\noptimizer: adamw\nschedule: one_cycle",
    "data: {source: x, image_size: 96, class_names: [017, off, true]}",
    "data: x\noptimizer: {lr: 1/127.5}\nschedule: {warmup: 10%}",
    "data: x\noptimizer: {name: adamw, betas: [1/2, 0.99]}\ntrain:\nmodel:",
    "data: x\naugment: {train: [Zoom, {RandomCrop: {padding: 4}}, {RandomCrop: null}, {name: Shear, change_rate: 1}]}",
    "data: x\naugment: {train: Normalize, eval: auto}\nmodel: {frozen: layer1.*, input_size: [96, 64]}",
    "data: x\ntrain: {epochs: '${seed}', debug: '${train.deterministic}', precision: 32-true}\nseed: 1",
    "data: x\ntrain.epochs: 3",
    "data: x\ncallbacks: {early_stopping: {patience: 3}}\nmodel: {kwargs: {a: [1, {b: null}]}}",
]
INVALID = [
    "data: x\nfoo: 1",
    "data: x\ntrain: {epochs: 0}",
    "data: x\ntrain: {epochs: ten}",
    "data: x\ntrain: {debug: yes}",
    "data: x\noptimizer: {momentum: 0.9}",
    "data: x\noptimizer: {name: adamw, momentum: 0.9}",
    "data: x\noptimizer: adan",
    "data: x\noptimizer: {lr: -1}",
    "data: x\nschedule: {warmup: 10}",
    "data: x\naugment: {train: [Zom]}",
    "data: x\naugment: {train: [{degrees: 3}]}",
    "data: x\naugment: {train: [{RandomRotate: {degree: 3}}]}",
    "data: x\nmodel: {input_size: [1, 2, 3]}",
    "data: x\nmodel: {dropout: 1}",
    "data: x\ncallbacks: {early_stopping: {patience: 0}}",
]


@pytest.mark.parametrize("text", VALID)
def test_valid_files_are_valid_for_both(text):
    data = read_yaml(text, "f")
    assert accepts(SCHEMA, plain_value(data))
    config_from_mapping(data)


@pytest.mark.parametrize("text", INVALID)
def test_invalid_files_are_invalid_for_both(text):
    data = read_yaml(text, "f")
    assert not accepts(SCHEMA, plain_value(data))
    with pytest.raises(ConfigError):
        config_from_mapping(data)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(configs())
def test_every_written_config_is_valid(config):
    assert accepts(SCHEMA, plain_value(read_yaml(config_text(config, {}), "f")))


def test_it_is_json_and_says_what_it_is():
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert SCHEMA["title"] == "Vernier config"
    assert SCHEMA["$defs"]["DataConfig"]["properties"]["batch_size"]["description"].startswith("Images a step")


RECIPES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.name)
def test_the_examples_are_valid(recipe):
    assert accepts(SCHEMA, yaml.safe_load(config_text(load_config(recipe, [], checks=()).config, {})))
    assert accepts(SCHEMA, plain_value(read_yaml(recipe.read_text(), recipe.name)))
