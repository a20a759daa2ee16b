"""YAML by the rules of its core schema, version 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema).

PyYAML follows YAML 1.1, where `off`, `NO` and `10:20` are no text and `1e-4` is no number. Its parser is used, its
guesses are not.
"""

import re
from collections.abc import Callable
from typing import Any, NoReturn, final

import yaml

from vernier.config.scalars import PlainBool, PlainFloat, PlainInt
from vernier.errors import ConfigError, ConfigProblem

_TAG = "tag:yaml.org,2002:"
_LONGEST_INT = 4000
_LARGEST = 100_000
_CORE = {
    "null": re.compile(r"null|Null|NULL|~|"),
    "bool": re.compile(r"true|True|TRUE|false|False|FALSE"),
    "int": re.compile(rf"[-+]?[0-9]{{1,{_LONGEST_INT}}}|0o[0-7]+|0x[0-9a-fA-F]+"),
    "float": re.compile(
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?(?:\.inf|\.Inf|\.INF)|\.nan|\.NaN|\.NAN"
    ),
}


class CoreResolver:
    """What a plain scalar means; shared by reading and writing, so that what is written reads back."""

    def resolve(self, kind: type[yaml.Node], value: str | None, implicit: Any) -> str:
        """The tag of a node that has none, as PyYAML asks for it."""
        if kind is yaml.ScalarNode:
            return _TAG + (_core_type(value or "") if implicit[0] else "str")
        return _TAG + ("seq" if kind is yaml.SequenceNode else "map")


def _core_type(text: str) -> str:
    return next((name for name, pattern in _CORE.items() if pattern.fullmatch(text)), "str")


@final
class _CoreLoader(CoreResolver, yaml.SafeLoader):
    """Null, bool, int, float, text, lists and mappings; anything else is refused."""


def _refuse(node: yaml.Node, message: str) -> NoReturn:
    raise yaml.constructor.ConstructorError(None, None, message, node.start_mark)


def _construct_mapping(loader: _CoreLoader, node: yaml.MappingNode) -> dict[str, Any]:
    mapping: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = _key(key_node)
        if key in mapping:
            _refuse(key_node, f"{key!r} stands here a second time; keep one of the two")
        mapping[key] = loader.construct_object(value_node, deep=True)
    return mapping


def _key(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        _refuse(node, "a key must be text, not a list or a mapping")
    if node.value == "<<" and node.style is None:
        _refuse(node, "merge keys (<<) are not part of YAML 1.2; write the fields out")
    return str(node.value)


def _construct_sequence(loader: _CoreLoader, node: yaml.SequenceNode) -> list[Any]:
    return [loader.construct_object(item, deep=True) for item in node.value]


def _scalar(loader: _CoreLoader, node: yaml.ScalarNode) -> Any:
    name = node.tag.removeprefix(_TAG)
    if _core_type(node.value) != name and (name, _core_type(node.value)) != ("float", "int"):
        _refuse(node, f"{node.value!r} is no {name}")
    return _typed(node.value, name)


def _typed(text: str, name: str) -> Any:
    """The value of plain text of a core type."""
    match name:
        case "null":
            return None
        case "bool":
            return PlainBool(text.lower() == "true", text)
        case "int":
            base = {"0o": 8, "0x": 16}.get(text[:2], 10)
            return PlainInt(int(text, base), text)
        case "float":
            return PlainFloat(float(re.sub(r"\.(inf|nan)$", r"\1", text.lower())), text)
    return text


def _construct_text(loader: _CoreLoader, node: yaml.ScalarNode) -> str:
    return str(node.value)


def _construct_unknown(loader: _CoreLoader, node: yaml.Node) -> NoReturn:
    tag = node.tag.replace(_TAG, "!!")
    _refuse(node, f"the tag {tag} is not read; write a plain value, a list or a mapping")


_CONSTRUCTORS: dict[str | None, Callable[[_CoreLoader, Any], Any]] = {
    **{_TAG + name: _scalar for name in _CORE},
    _TAG + "str": _construct_text,
    _TAG + "seq": _construct_sequence,
    _TAG + "map": _construct_mapping,
    None: _construct_unknown,
}
_CoreLoader.yaml_constructors = _CONSTRUCTORS
_CoreLoader.yaml_multi_constructors = {}


def read_yaml(text: str, source: str) -> dict[str, Any]:
    """The mapping that a YAML document holds; numbers and bools remember how they were written.

    Args:
        text: one document; an empty one is an empty mapping.
        source: the name of the file, for messages.

    Raises:
        ConfigError: text that is no YAML, a duplicate key, a tag, a merge key, or no mapping; with line and column.
    """
    try:
        value = _load(text)
    except yaml.YAMLError as error:
        raise _problem(source, *_place_and_reason(error)) from None
    except RecursionError:
        raise _problem(source, "", "lists and mappings are nested too deeply") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        kind = "a list" if isinstance(value, list) else f"the single value {value!r}"
        raise _problem(source, "", f"must be a mapping of sections such as 'data:' and 'train:', not {kind}")
    if _size(value, {}) > _LARGEST:
        raise _problem(source, "", f"its aliases expand to more than {_LARGEST} values; write out what you need")
    return value


def _load(text: str) -> Any:
    return yaml.load(text, Loader=_CoreLoader)


def _size(value: Any, known: dict[int, int]) -> int:
    """The number of values when every alias is written out."""
    if id(value) not in known:
        items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        known[id(value)] = 1 + sum(_size(item, known) for item in items)
    return known[id(value)]


def _problem(source: str, place: str, message: str) -> ConfigError:
    return ConfigError([ConfigProblem(source + place, message)])


def _place_and_reason(error: yaml.YAMLError) -> tuple[str, str]:
    if isinstance(error, yaml.reader.ReaderError):
        return "", f"holds the character #x{error.character:04x} at position {error.position}; remove it"
    if not isinstance(error, yaml.MarkedYAMLError):
        return "", str(error)
    unclosed = error.problem is not None and ("end of stream" in error.problem or "stream end" in error.problem)
    mark = error.context_mark if unclosed else error.problem_mark
    place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return place, _explain(error)


def _explain(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or "can't be read"
    if isinstance(error, yaml.constructor.ConstructorError):
        return "an alias stands for itself" if "recursive node" in problem else problem
    remedy = next((words for sign, words in _REMEDIES.items() if sign in problem), "")
    doing = f" {error.context}" if error.context else ""
    return f"is no valid YAML: {problem}{doing}{remedy}"


_REMEDIES = {
    "mapping values are not allowed": "; put text that holds ': ' in quotes, and check the indentation",
    "cannot start any token": "; indent with spaces, and put text that starts with a special character in quotes",
    "expected <block end>": "; check that the lines of this block have the same indentation",
    "could not find expected ':'": "; write 'key: value' with a space after the colon",
    "undefined alias": "; put text that starts with * in quotes",
    "expected ',' or": "; close every [ and {, put commas between values, and ${...} inside them in quotes",
    "but found another document": "; one file holds one document, without a second '---'",
    "found unexpected end of stream": "; close the quotes",
}


def parse_value(text: str) -> Any:
    """One value of the command line by the same rules; text that is no YAML is text.

    `[96,96]` and `{name: X}` are a list and a mapping, `"017"` is text, `1e-4` a number, and `C:\\data`, `a: b`,
    `*.jpg` and `#1` are text, because only brackets and quotes at the start mean anything here.
    """
    stripped = text.strip()
    if not stripped.startswith(("[", "{", '"', "'")):
        return _typed(stripped, _core_type(stripped)) if _core_type(stripped) != "str" else text
    try:
        value = _load(stripped)
    except (yaml.YAMLError, RecursionError):
        return text
    quoted = stripped.startswith(('"', "'"))
    return text if quoted and not isinstance(value, str) else value
