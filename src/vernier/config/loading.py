"""A Config from a YAML file, the command line or a Python mapping, with all problems reported at once."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, final

from vernier.config.checks import CHECKS, Check
from vernier.config.expand import expand
from vernier.config.fields import DEFAULT_KINDS, all_fields, kinds
from vernier.config.normalise import Nested, nest, override, spell_out_lists
from vernier.config.overrides import parse_arguments
from vernier.config.reading import read_yaml
from vernier.config.root import Config
from vernier.config.scalars import plain_value
from vernier.config.validation import Findings, validate
from vernier.errors import ConfigError, ConfigProblem
from vernier.scenario.reading import parameter_defaults, with_defaults, with_full_name, with_parameters


@final
@dataclass(frozen=True)
class LoadedConfig:
    """A config and where it came from.

    `given` holds what the user gave and nothing else, merged and expanded, as plain nested data. `notes` are
    sentences to print. `file` is the config file.
    """

    config: Config
    given: dict[str, Any]
    notes: tuple[str, ...] = ()
    file: Path | None = None


def load_config(file: Path | None, arguments: Sequence[str], *, checks: Sequence[Check] = CHECKS) -> LoadedConfig:
    """The config of a YAML file (or none) with `key=value` arguments on top.

    Raises:
        ConfigError: everything that is wrong with it; a file that can't be read reports itself alone.
    """
    data = read_config_file(file) if file is not None else {}
    return _finish(data, arguments, file, checks)


def config_from_mapping(
    mapping: Mapping[str, Any], arguments: Sequence[str] = (), *, checks: Sequence[Check] = CHECKS
) -> LoadedConfig:
    """The config of nested or dotted keys, `{"data": DIR, "train.epochs": 3}`, with arguments on top.

    Raises:
        ConfigError: everything that is wrong with it.
    """
    return _finish(mapping, arguments, None, checks)


def read_config_file(file: Path) -> dict[str, Any]:
    """The mapping in a YAML file.

    Raises:
        ConfigError: it can't be opened, is no UTF-8 or no valid YAML.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError([ConfigProblem(str(file), f"can't be read: {error.strerror}")]) from None
    except UnicodeDecodeError as error:
        message = f"is no UTF-8 text (byte {error.start}); save it as UTF-8"
        raise ConfigError([ConfigProblem(str(file), message)]) from None
    return read_yaml(text, str(file))


def _finish(
    mapping: Mapping[str, Any], arguments: Sequence[str], file: Path | None, checks: Sequence[Check]
) -> LoadedConfig:
    loaded, notes = _merged(mapping, arguments)
    expansion = expand(loaded.data, _defaults(loaded.data), os.environ, datetime.now().astimezone())
    full = spell_out_lists(Nested(expansion.data, loaded.written, loaded.problems))
    findings = Findings(full.written)
    for place, message in (*full.problems, *expansion.problems):
        findings.add(place, message)
    config = validate(with_parameters(full.data, findings), findings)
    _cross_check(config, checks, findings)
    if findings.problems:
        raise ConfigError(findings.problems)
    given: dict[str, Any] = plain_value(config.model_dump(exclude_unset=True))
    return LoadedConfig(config, given, notes, file)


def _merged(mapping: Mapping[str, Any], arguments: Sequence[str]) -> tuple[Nested, tuple[str, ...]]:
    """What a file and a command line say, over the defaults of their scenario; and what that dropped."""
    below, above = nest(mapping.items()), nest(parse_arguments(arguments))
    given, dropped = override(with_full_name(below), with_full_name(above))
    loaded, dropped_defaults = with_defaults(given)
    return loaded, (*dropped, *dropped_defaults)


def _cross_check(config: Config, checks: Sequence[Check], findings: Findings) -> None:
    """Add what the checks find, except where it relies on a value that is wrong itself."""
    found = [finding for check in checks for finding in check(config)]
    sound = [one for one in found if not any(map(findings.touch, (one.key, *one.relies_on)))]
    for finding in sound:
        findings.add(tuple(finding.key.split(".")), finding.message)


def _defaults(data: Mapping[str, Any]) -> dict[str, Any]:
    """The default of every field, for references to what is not given."""
    defaults: dict[str, Any] = plain_value(Config().model_dump())
    for section in DEFAULT_KINDS:
        name = (data.get(section) or {}).get("name")
        chosen = kinds(all_fields()[section].annotation).get(str(name))
        if chosen is not None:
            # Not validated: what a kind needs has no default.
            defaults = {**defaults, section: plain_value(chosen.model_construct().model_dump())}
    return {**defaults, **parameter_defaults(data)}
