"""The user's own code: `package.module:callable`, imported, and its arguments checked before it is called."""

import importlib
import inspect
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from vernier.errors import ConfigError, ConfigProblem

_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def import_callable(name: str, key: str) -> Callable[..., Any]:
    """Import `package.module:callable` or `package.module.callable`; modules of the working directory are found too.

    What goes wrong within the module itself is the user's bug and keeps its traceback.

    Args:
        key: The config key that holds the name, for messages.

    Raises:
        ConfigError: there is no such module, or nothing callable of that name in it.
    """
    module_name, _, attribute = name.partition(":") if ":" in name else name.rpartition(".")
    with working_directory_importable():
        found: Any = _import(module_name, name, key)
    for part in attribute.split("."):
        if not hasattr(found, part):
            public = [other for other in dir(found) if not other.startswith("_")]
            raise _error(key, f"{module_name} has no {attribute!r}{_hint(part, public).removesuffix(';')}")
        found = getattr(found, part)
    if not callable(found):
        raise _error(key, f"{name} is no function or class but a {type(found).__name__}")
    made: Callable[..., Any] = found
    return made


def check_arguments(made: Callable[..., Any], kwargs: Mapping[str, Any], key: str, given: Collection[str] = ()) -> None:
    """Check named arguments against a signature.

    Args:
        kwargs: What the user gives.
        key: The config key that holds them, for messages.
        given: Arguments that Vernier gives; users may not.

    Raises:
        ConfigError: an argument that does not exist or is Vernier's to give, or one that is missing.
    """
    parameters = inspect.signature(made).parameters
    takes_any = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values())
    named = [name for name, parameter in parameters.items() if parameter.kind in _NAMED and name not in given]
    name_of = getattr(made, "__name__", str(made))
    problems = []
    for name in kwargs:
        if name in given:
            problems.append(ConfigProblem(f"{key}.{name}", "is given by Vernier; leave it out"))
        elif name not in named and not takes_any:
            choices = ", ".join(named) or "no arguments"
            message = f"is no argument of {name_of}{_hint(name, named)} It takes {choices}"
            problems.append(ConfigProblem(f"{key}.{name}", message))
    for name in named:
        if parameters[name].default is inspect.Parameter.empty and name not in kwargs:
            problems.append(ConfigProblem(f"{key}.{name}", f"is missing; {name_of} needs it"))
    if problems:
        raise ConfigError(problems)


@contextmanager
def working_directory_importable() -> Iterator[None]:
    """Let modules of the working directory be imported, as `python -m` does."""
    path = str(Path.cwd())
    if path in sys.path:
        yield
        return
    sys.path.insert(0, path)
    try:
        yield
    finally:
        sys.path.remove(path)


def _import(module_name: str, name: str, key: str) -> Any:
    if not module_name:
        raise _error(key, f"must be package.module:callable; got {name!r}")
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        message = f"there is no module {error.name!r}; it is looked for in the working directory and where packages are"
        raise _error(key, message) from None


def _hint(name: str, choices: Collection[str]) -> str:
    near = get_close_matches(name, choices, n=1)
    return f"; did you mean {near[0]!r}?" if near else ";"


def _error(key: str, message: str) -> ConfigError:
    return ConfigError([ConfigProblem(key, message)])
