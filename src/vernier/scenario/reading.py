"""Scenarios in a config that is being read: the class's name, its defaults, its parameters."""

from collections.abc import Iterator, Mapping
from typing import Any

from vernier.config.fields import Place, dotted
from vernier.config.normalise import Nested, nest, override
from vernier.config.validation import Findings
from vernier.errors import ConfigError
from vernier.scenario.finding import canonical_name, find_scenario
from vernier.scenario.params import check_parameters, default_parameters
from vernier.scenario.returned import require
from vernier.scenario.scenario import Scenario

_PLACE = ("scenario", "name")


def with_full_name(nested: Nested) -> Nested:
    """The data with `package.module:Class` as the scenario's name; without the scenario when there is no such."""
    name = _name_in(nested.data)
    if name is None:
        return nested
    try:
        full = canonical_name(find_scenario(name))
    except ConfigError as error:
        problems = tuple((_PLACE, problem.message) for problem in error.problems)
        data = {key: value for key, value in nested.data.items() if key != "scenario"}
        return Nested(data, nested.written, (*nested.problems, *problems))
    data = {**nested.data, "scenario": {**nested.data["scenario"], "name": full}}
    return Nested(data, nested.written, nested.problems)


def with_defaults(nested: Nested) -> tuple[Nested, tuple[str, ...]]:
    """The data over what the scenario would have where nothing else is said, and notes on what that dropped.

    Raises:
        ConfigError: the defaults are no mapping.
    """
    name = _name_in(nested.data)
    if name is None:
        return nested, ()
    scenario = find_scenario(name)
    defaults = require(scenario.defaults(), Mapping, f"{name}.defaults")
    own = nest([*_own_model(scenario).items(), *defaults.items()])
    written = {place: f"{dotted(place)} (in {name}.defaults)" for place in _places(own.data, ())}
    return override(Nested(own.data, written, own.problems), nested, owner="the scenario")


def with_parameters(data: Mapping[str, Any], findings: Findings) -> dict[str, Any]:
    """The data with all parameters of its scenario, checked; without the scenario when they can't be had."""
    name = _name_in(data)
    if name is None:
        return dict(data)
    given = {key: value for key, value in data["scenario"].items() if key != "name"}
    parameters = check_parameters(find_scenario(name), given, findings)
    if parameters is None:
        return {key: value for key, value in data.items() if key != "scenario"}
    return {**data, "scenario": {"name": name, **parameters}}


def parameter_defaults(data: Mapping[str, Any]) -> dict[str, Any]:
    """The scenario's section with the defaults of its parameters alone; nothing without a scenario."""
    name = _name_in(data)
    return {} if name is None else {"scenario": {"name": name, **default_parameters(find_scenario(name))}}


def _name_in(data: Mapping[str, Any]) -> str | None:
    section = data.get("scenario")
    name = section.get("name") if isinstance(section, Mapping) else None
    return None if name is None else str(name)


def _own_model(scenario: type[Scenario]) -> dict[str, Any]:
    return {} if scenario.model is None else {"model.name": f"{canonical_name(scenario)}.model"}


def _places(data: Mapping[str, Any], place: Place) -> Iterator[Place]:
    for key, value in data.items():
        yield (*place, key)
        if isinstance(value, Mapping):
            yield from _places(value, (*place, key))
