"""The parameters of a scenario: read by the rules and with the messages of the config."""

from collections.abc import Mapping
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import Field, ValidationError, create_model
from pydantic.fields import FieldInfo

from vernier.config.base import Section
from vernier.config.fields import item_type
from vernier.config.scalars import plain_value
from vernier.config.types import Anything, Flag, Number, Text, Words
from vernier.config.validation import Findings, check_section
from vernier.errors import ConfigError, ConfigProblem
from vernier.scenario.finding import KEY, canonical_name
from vernier.scenario.scenario import Scenario

_PLACE = "scenario"
_READERS: dict[Any, Any] = {
    Any: Anything,
    bool: Flag,
    int: Annotated[int, Field(strict=True)],
    float: Number,
    str: Text,
    type(None): type(None),
    tuple: tuple[Anything, ...],
    dict: dict[str, Anything],
}
"""How a field of a plain Python type is read."""
_TYPES = "bool, int, float, str, Literal, tuple, dict[str, ...], a Section, or a union of these"


def default_parameters(scenario: type[Scenario]) -> dict[str, Any]:
    """The defaults of all parameters that have one, as plain data.

    Raises:
        ConfigError: the class's `Params` can't be read from a config.
    """
    reading_section(scenario)
    defaults: dict[str, Any] = _plain(scenario.Params.model_construct())
    return defaults


def check_parameters(scenario: type[Scenario], values: Mapping[str, Any], findings: Findings) -> dict[str, Any] | None:
    """All parameters as plain data, defaults included; None, with what is wrong among the findings.

    Raises:
        ConfigError: the class's `Params` can't be read from a config.
    """
    section = reading_section(scenario)
    before = len(findings.problems)
    read = check_section(section, _with_lists(section, values), (_PLACE,), findings)
    if read is None or len(findings.problems) > before:
        return None
    try:
        params = scenario.Params.model_validate(read.model_dump())
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            findings.add((_PLACE, *detail["loc"]), detail["msg"].removeprefix("Value error, "))
        return None
    plain: dict[str, Any] = _plain(params)
    return plain


def make_parameters(scenario: type[Scenario], values: Mapping[str, Any]) -> Section:
    """The parameters of a resolved config."""
    findings = Findings({})
    checked = check_parameters(scenario, values, findings)
    if checked is None:
        raise ConfigError(findings.problems)
    return scenario.Params.model_validate(checked)


def reading_section(scenario: type[Scenario]) -> type[Section]:
    """A section with the fields of `Params` whose values are read as the config's own are: `017`, `1/3`, `off`.

    Raises:
        ConfigError: `Params` is no `Section`, has a field `name`, or one of a type that no config can hold.
    """
    params: Any = scenario.Params
    if not (isinstance(params, type) and issubclass(params, Section)):
        raise _problem(scenario, "Params must be a class derived from vernier.scenario.Section")
    if "name" in params.model_fields:
        raise _problem(scenario, "Params.name: `scenario.name` is the scenario itself; give the field another name")
    return _reading(params, scenario)


def _reading(params: type[Section], scenario: type[Scenario]) -> type[Section]:
    where = params.__qualname__
    fields: dict[str, Any] = {
        name: _read_field(field, f"{where}.{name}", scenario) for name, field in params.model_fields.items()
    }
    made: type[Section] = create_model(params.__name__, __base__=Section, __doc__=params.__doc__, **fields)
    return made


def _read_field(field: FieldInfo, where: str, scenario: type[Scenario]) -> tuple[Any, Any]:
    """The type and the default of a field."""
    kept = any(isinstance(item, Words) for item in field.metadata)
    kind = field.annotation if kept else _read_type(field.annotation, where, scenario)
    for item in field.metadata:
        kind = Annotated[kind, item]
    if field.is_required():
        return kind, ...
    default = field.get_default(call_default_factory=True)
    # A section of the user's own is read as another class with the same fields.
    return kind, default.model_dump() if isinstance(default, Section) else default


def _read_type(annotation: Any, where: str, scenario: type[Scenario]) -> Any:
    """The type that reads what a plain type is written as."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation in _READERS:
        return _READERS[annotation]
    if origin is Annotated:
        kept = any(isinstance(item, Words) for item in arguments[1:])
        return annotation if kept else Annotated[_read_type(arguments[0], where, scenario), *arguments[1:]]
    if origin is Literal:
        return annotation
    if origin in (Union, UnionType):
        return Union[tuple(_read_type(part, where, scenario) for part in arguments)]  # noqa: UP007
    if origin is tuple and arguments:
        parts = tuple(part if part is ... else _read_type(part, where, scenario) for part in arguments)
        return tuple.__class_getitem__(parts)
    if origin is dict and arguments[0] is str:
        return dict[str, _read_type(arguments[1], where, scenario)]  # type: ignore[misc]
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return _reading(annotation, scenario)
    remedy = f"; write tuple instead of {origin.__name__}" if origin in (list, set) else ""
    raise _problem(scenario, f"{where} has the type {annotation}, which no config holds; use {_TYPES}{remedy}")


def _with_lists(section: type[Section], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with a single one where a list is meant in a list of its own."""
    fields = section.model_fields
    listed = [name for name in values if name in fields and item_type(fields[name].annotation) is not None]
    single = [name for name in listed if not isinstance(values[name], list | tuple | None)]
    return {name: [value] if name in single else value for name, value in values.items()}


def _plain(value: Any) -> Any:
    return plain_value(value.model_dump() if isinstance(value, Section) else value)


def _problem(scenario: type[Scenario], message: str) -> ConfigError:
    return ConfigError([ConfigProblem(KEY, f"{canonical_name(scenario)}: {message}")])
