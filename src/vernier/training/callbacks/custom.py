"""Callbacks of the user's own (`callbacks.custom`)."""

import inspect
from collections.abc import Sequence

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
    return made
