"""Callbacks of the user's own (`callbacks.custom`)."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from typing import Any

from vernier.callables import check_arguments, import_callable
from vernier.config.callbacks import CustomCallbackConfig
from vernier.errors import ConfigError, ConfigProblem
from vernier.training.callbacks.callback import Callback


def make_custom_callbacks(entries: Sequence[CustomCallbackConfig]) -> tuple[Callback, ...]:
    """The callbacks, in their order.

    Raises:
        ConfigError: what can't be imported, is no callback, or takes other arguments.
    """
    return tuple(_make(f"callbacks.custom[{index}]", entry) for index, entry in enumerate(entries))


def check_custom_callbacks(entries: Sequence[CustomCallbackConfig]) -> None:
    """Import the classes and check their arguments, without making anything.

    Raises:
        ConfigError: as `make_custom_callbacks`.
    """
    for index, entry in enumerate(entries):
        _checked(f"callbacks.custom[{index}]", entry)


def _make(key: str, entry: CustomCallbackConfig) -> Callback:
    return _checked(key, entry)(**entry.kwargs)


def _checked(key: str, entry: CustomCallbackConfig) -> type[Callback]:
    made = import_callable(entry.name, f"{key}.name")
    if not (inspect.isclass(made) and issubclass(made, Callback)):
        message = f"must be a class derived from {Callback.__module__}.Callback; got {entry.name}"
        raise ConfigError([ConfigProblem(f"{key}.name", message)])
    check_arguments(made, entry.kwargs, f"{key}.kwargs")
    problems = [ConfigProblem(f"{key}.name", message) for message in _hook_problems(made)]
    if problems:
        raise ConfigError(problems)
    return made


def _hook_problems(kind: type[Callback]) -> Iterator[str]:
    """Methods that would never be called, or not as they are written."""
    hooks = {name: hook for name, hook in inspect.getmembers(Callback, inspect.isfunction) if name[0] != "_"}
    for name, method in inspect.getmembers(kind, inspect.isfunction):
        near = get_close_matches(name, hooks, n=1, cutoff=0.8)
        if name in hooks and not _takes(method, len(inspect.signature(hooks[name]).parameters)):
            yield f"{kind.__name__}.{name} has to take ({', '.join(inspect.signature(hooks[name]).parameters)})"
        elif name not in hooks and name[0] != "_" and near:
            message = f"{kind.__name__}.{name} is no hook, so it is never called"
            yield f"{message}; did you mean {near[0]!r}? Or put _ before it"


def _takes(method: Callable[..., Any], count: int) -> bool:
    try:
        inspect.signature(method).bind(*range(count))
    except TypeError:
        return False
    return True
