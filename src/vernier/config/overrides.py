"""The command line's `key=value` and `--key value ...`, and the config file among them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import takewhile
from pathlib import Path
from typing import Any, final, get_origin

from pydantic.fields import FieldInfo

from vernier.callables import working_directory_importable
from vernier.config.fields import SHORT_FORMS, all_fields, bare, members
from vernier.config.reading import parse_value
from vernier.config.root import Config
from vernier.config.scalars import PlainBool
from vernier.config.words import describe_field
from vernier.errors import ConfigError, ConfigProblem

Assignment = tuple[str, Any]
"""A dotted key and its value."""

_ASSIGNMENT = re.compile(r"([^\s=/\\]+)=(.*)", re.DOTALL)
_KEY = re.compile(r"[A-Za-z_][\w-]*(\.[\w-]+)*")
_NUMBER = re.compile(r"-(\d|\.\d|\.inf)")
_TRUE = PlainBool(True, "true")


@final
@dataclass(frozen=True)
class _Group:
    """Arguments that belong together; without a key it is one argument that stands alone."""

    tokens: tuple[str, ...]
    key: str | None = None
    values: tuple[str, ...] = ()


def split_config_argument(arguments: Sequence[str]) -> tuple[Path | None, tuple[str, ...]]:
    """The config file among the arguments, and the others in their order.

    It is the argument that stands alone (no `key=value`, no value of a `--key`) and ends in .yaml or .yml or is
    a file. The first other one that stands alone and can be a Python module is the scenario: `scenario=...`.

    Raises:
        ConfigError: there is more than one.
    """
    groups = list(_groups(arguments))
    files = [group.tokens[0] for group in groups if group.key is None and _names_file(group.tokens[0])]
    if len(files) > 1:
        raise ConfigError([ConfigProblem(files[1], f"is a second config file beside {files[0]}; give one")])
    others = [group for group in groups if group.key is not None or group.tokens[0] not in files]
    scenario = next((group for group in others if group.key is None and _names_scenario(group.tokens[0])), None)
    words = ((f"scenario={group.tokens[0]}",) if group is scenario else group.tokens for group in others)
    return Path(files[0]) if files else None, tuple(word for tokens in words for word in tokens)


def parse_arguments(arguments: Sequence[str]) -> tuple[Assignment, ...]:
    """The assignments of `key=value`, `--key=value`, `--key value ...` and `--flag`, in their order.

    Dashes in keys count as underscores; several values after one `--key` are a list; values are read as
    `parse_value` does.

    Raises:
        ConfigError: every argument that is none of these.
    """
    groups = list(_groups(arguments))
    problems = [problem for group in groups if (problem := _problem(group)) is not None]
    if problems:
        raise ConfigError(problems)
    return tuple((_plain_key(group.key or ""), _value(group)) for group in groups)


def _groups(arguments: Sequence[str]) -> Iterator[_Group]:
    position = 0
    while position < len(arguments):
        group = _group_at(arguments, position)
        yield group
        position += len(group.tokens)


def _group_at(arguments: Sequence[str], position: int) -> _Group:
    token = arguments[position]
    key, equals, value = token.removeprefix("--").partition("=")
    if token.startswith("--") and not equals:
        values = _values_of(key, arguments[position + 1 :])
        return _Group((token, *values), key, values)
    if token.startswith("--") or (_ASSIGNMENT.fullmatch(token) and not _names_file(token)):
        return _Group((token,), key, (value,))
    return _Group((token,))


def _values_of(key: str, rest: Sequence[str]) -> tuple[str, ...]:
    """The arguments after `--key` that are its values: as many as the field can take."""
    values = tuple(takewhile(_is_value, rest))
    field = _field(key)
    if field is None:
        # What takes them is not known yet, but a file after the first one is the config.
        return (*values[:1], *takewhile(lambda value: not _names_file(value), values[1:]))
    if _takes_several(field):
        return values
    if _is_flag(field) and values and _names_file(values[0]):
        return ()
    return values[:1]


def _is_value(token: str) -> bool:
    if token.startswith("-") and len(token) > 1:
        return _NUMBER.match(token) is not None
    match = _ASSIGNMENT.fullmatch(token)
    return match is None or _plain_key(match[1]).split(".")[0] not in Config.model_fields


def _plain_key(key: str) -> str:
    return key.replace("-", "_")


def _field(key: str) -> FieldInfo | None:
    plain = _plain_key(key)
    return all_fields().get(f"{plain}.{SHORT_FORMS[plain]}" if plain in SHORT_FORMS else plain)


def _is_flag(field: FieldInfo) -> bool:
    return bare(field.annotation) is bool


def _takes_several(field: FieldInfo) -> bool:
    return any(get_origin(bare(member)) in (tuple, dict) for member in members(field.annotation))


def _names_file(token: str) -> bool:
    """Whether an argument is a config file; one that looks like an assignment has to exist."""
    if token.startswith("-"):
        return False
    named = token.endswith((".yaml", ".yml"))
    if token.endswith(".py"):
        return False
    if _ASSIGNMENT.fullmatch(token):
        return named and Path(token).is_file()
    return named or Path(token).is_file()


def _names_scenario(token: str) -> bool:
    """Whether an argument that stands alone is a module, a package, `module:Class` or a .py file."""
    if token.startswith("-") or _field(token) is not None:
        return False
    if Path(token).is_dir():
        return any((Path(token) / name).is_file() for name in ("scenario.py", "__init__.py"))
    if token.endswith(".py") or "/" in token or ":" in token:
        return True
    first, dot, _ = token.partition(".")
    return first.isidentifier() and ((bool(dot) and first not in Config.model_fields) or _is_module(first))


def _is_module(name: str) -> bool:
    with working_directory_importable():
        return find_spec(name) is not None


def _value(group: _Group) -> Any:
    values = [parse_value(value) for value in group.values]
    if not values:
        return _TRUE
    return values[0] if len(values) == 1 else values


def _problem(group: _Group) -> ConfigProblem | None:
    if group.key is None:
        return ConfigProblem(group.tokens[0], _stray(group.tokens[0]))
    if group.key.startswith(("+", "~")):
        return ConfigProblem(group.key, f"write {group.key.lstrip('+~')}=..., without the {group.key[0]}")
    if _KEY.fullmatch(group.key) is None:
        return ConfigProblem(group.key, "is no key; write section.key=value, and a list as a whole: key=[1,2]")
    field = _field(group.key)
    if not group.values and field is not None and not _is_flag(field):
        return ConfigProblem(group.key, f"needs a value after it: {describe_field(field)}")
    return None


def _stray(token: str) -> str:
    if Path(token).is_dir():
        return f"is a directory; for images in it write data={token}"
    if token.startswith("-"):
        return "is no option; write key=value or --key value"
    if _field(token) is not None:
        return f"has no value; write {token}=..."
    return "is neither key=value nor a config file (.yaml or .yml)"
