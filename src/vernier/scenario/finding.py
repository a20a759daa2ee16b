"""From the name of a scenario to its class."""

import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from vernier.callables import working_directory_importable
from vernier.config.words import closest, did_you_mean
from vernier.errors import ConfigError, ConfigProblem
from vernier.scenario.scenario import Scenario

KEY = "scenario.name"
"""The config key that names a scenario."""

_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_FORMS = "name package.module:Class, the module, its package, or its file"


def find_scenario(name: str) -> type[Scenario]:
    """Import the scenario that a name means; modules of the working directory are found too.

    Args:
        name: `package.module:Class`; without the class, the only one that the module defines; the package of a
            module `scenario`; or the path of the module or package, with slashes, with or without `.py`.

    Raises:
        ConfigError: there is no such module or scenario, or several; the message has a remedy. Whatever else goes
            wrong while the module is imported is raised as it is, with a note that names the module.
    """
    place, _, class_name = name.strip().partition(":")
    module_name, file = _module_of(place)
    with working_directory_importable():
        importlib.invalidate_caches()
        module = _import(module_name)
        if file is not None:
            _require_file(module, file)
        return _named(module, class_name) if class_name else _only(module)


def canonical_name(scenario: type[Scenario]) -> str:
    """`package.module:Class`, whatever name it was found by."""
    return f"{scenario.__module__}:{scenario.__qualname__}"


def _problem(message: str) -> ConfigError:
    return ConfigError([ConfigProblem(KEY, message)])


def _module_of(place: str) -> tuple[str, Path | None]:
    """The module's dotted name, and its file where a path was given."""
    file = None
    if "/" in place or "\\" in place or place.endswith(".py"):
        file = _file_of(place)
        place = _dotted(file)
    if _MODULE.fullmatch(place) is None:
        raise _problem(f"{place!r} can't be the name of a Python module; {_FORMS}")
    return place, file


def _file_of(place: str) -> Path:
    """The module's file, or the package's directory."""
    path = Path(place.replace("\\", "/")).expanduser()
    with_suffix = path if path.suffix == ".py" else path.with_name(f"{path.name}.py")
    found = next((choice for choice in (with_suffix, path) if choice.exists()), None)
    if found is None:
        folder = path.parent
        near = closest(with_suffix.name, [file.name for file in folder.glob("*.py")]) if folder.is_dir() else None
        guess = did_you_mean(str(folder / near) if near else None)
        raise _problem(f"there is no file {with_suffix}, looked for in {Path.cwd()}{guess}")
    return found.resolve()


def _dotted(file: Path) -> str:
    """The name by which Python imports a file."""
    for root in (Path.cwd(), *map(Path, sys.path)):
        if file.is_relative_to(root.resolve()):
            parts = file.relative_to(root.resolve()).with_suffix("").parts
            return ".".join(parts[:-1] if parts[-1:] == ("__init__",) else parts)
    raise _problem(
        f"{file} is neither below the working directory {Path.cwd()} nor on Python's path; start Vernier above it, or "
        "put its directory in PYTHONPATH"
    )


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if missing and f"{name}.".startswith(f"{missing}."):
            raise _problem(_not_there(missing)) from None
        error.add_note(_note(name))
        raise
    except Exception as error:
        error.add_note(_note(name))
        raise


def _note(name: str) -> str:
    return f"This came up while the scenario's module {name} was imported."


def _not_there(name: str) -> str:
    parent, _, last = name.rpartition(".")
    near = closest(last, _modules_in(parent))
    guess = did_you_mean(f"{parent}.{near}".removeprefix(".") if near else None)
    return f"there is no Python module {name!r} in {Path.cwd()} or on Python's path{guess or f'; {_FORMS}'}"


def _modules_in(package: str) -> Iterator[str]:
    """The modules beside which one was looked for: in a package, or in the working directory."""
    paths = getattr(sys.modules[package], "__path__", ()) if package else [str(Path.cwd())]
    folders = [folder.name for path in paths for folder in Path(path).iterdir() if folder.is_dir()]
    yield from (name for name in folders if _MODULE.fullmatch(name))
    yield from (found.name for found in pkgutil.iter_modules(paths))


def _require_file(module: ModuleType, file: Path) -> None:
    origins = [module.__file__] if module.__file__ else list(module.__path__)
    found = [Path(origin).resolve() for origin in origins]
    if not any(other in (file, file / "__init__.py") for other in found):
        raise _problem(
            f"{file} is imported as {module.__name__}, but another module has this name: {found[0]}; rename the file "
            "or its directory"
        )


def _named(module: ModuleType, class_name: str) -> type[Scenario]:
    found: Any = module
    for part in class_name.split("."):
        found = getattr(found, part, None)
    if inspect.isclass(found) and issubclass(found, Scenario):
        return found
    names = [scenario.__name__ for scenario in _scenarios_of(module)]
    if found is not None:
        raise _problem(f"{module.__name__}:{class_name} is not derived from vernier.scenario.Scenario")
    known = did_you_mean(closest(class_name, names)) or (f"; it has {', '.join(names)}" if names else "")
    raise _problem(f"{module.__name__} has no {class_name!r}{known}")


def _only(module: ModuleType) -> type[Scenario]:
    """The one scenario of a module, or of the module `scenario` in a package."""
    found = _scenarios_of(module)
    if not found and hasattr(module, "__path__") and _has_submodule(module):
        module = _import(f"{module.__name__}.scenario")
        found = _scenarios_of(module)
    if len(found) == 1:
        return found[0]
    if not found:
        inside = " and has no module `scenario`" if hasattr(module, "__path__") else ""
        raise _problem(
            f"{module.__name__} defines no scenario{inside}; derive a class from vernier.scenario.Scenario there"
        )
    names = ", ".join(f"{module.__name__}:{scenario.__name__}" for scenario in found)
    raise _problem(f"{module.__name__} defines several scenarios; name one of {names}")


def _has_submodule(package: ModuleType) -> bool:
    return any(found.name == "scenario" for found in pkgutil.iter_modules(package.__path__))


def _scenarios_of(module: ModuleType) -> list[type[Scenario]]:
    """The scenarios that a module itself defines, but for those whose name starts with an underscore."""
    classes = [value for value in vars(module).values() if inspect.isclass(value) and issubclass(value, Scenario)]
    own = [scenario for scenario in classes if scenario.__module__ == module.__name__]
    return [scenario for scenario in dict.fromkeys(own) if not scenario.__name__.startswith("_")]
