"""Optimizers that a config names by where they are: `torch.optim.ASGD`, `package.module:Class`."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import torch

from vernier.callables import check_arguments, import_callable
from vernier.config.optimizer import CustomOptimizerConfig
from vernier.config.settled import settled
from vernier.errors import ConfigError, ConfigProblem

_KEY: Final = "optimizer.callable"
_OURS: Final = ("params", "lr", "weight_decay")
_REFUSED: Final[Mapping[str, str]] = {
    "Muon": "takes matrices only; use optimizer=muon, which leaves the rest to AdamW",
    "SparseAdam": "takes sparse gradients only, which no image classifier has; use optimizer=adam",
}


def make_named_optimizer(groups: Sequence[dict[str, Any]], config: CustomOptimizerConfig) -> torch.optim.Optimizer:
    """The optimizer that `config.callable` names.

    Raises:
        ConfigError: it can't be imported, is no optimizer that a training can use, or does not take its arguments.
    """
    made = import_callable(config.callable, _KEY)
    if not (inspect.isclass(made) and issubclass(made, torch.optim.Optimizer)):
        raise _error(f"{config.callable} is no subclass of torch.optim.Optimizer")
    _refuse_unusable(made)
    check_arguments(made, config.kwargs, "optimizer.kwargs", given=_OURS)
    _check_weight_decay(made, groups)
    construct: Callable[..., torch.optim.Optimizer] = made
    try:
        return construct(groups, lr=settled(config.lr), **config.kwargs)
    except (TypeError, ValueError) as error:
        raise _error(f"{made.__name__} refuses its arguments: {error}") from error


def _refuse_unusable(made: type[torch.optim.Optimizer]) -> None:
    if made.__module__.startswith("torch.optim") and made.__name__ in _REFUSED:
        raise _error(f"{made.__name__} {_REFUSED[made.__name__]}")
    closure = inspect.signature(made.step).parameters.get("closure")
    if closure is not None and closure.default is inspect.Parameter.empty:
        message = "computes the loss several times a step, which needs a closure; a training gives each batch once"
        raise _error(f"{made.__name__} {message}; use another optimizer")
    if "lr" not in inspect.signature(made).parameters:
        raise _error(f"{made.__name__} takes no argument lr, so no schedule can set it; use another optimizer")


def _check_weight_decay(made: type[torch.optim.Optimizer], groups: Sequence[dict[str, Any]]) -> None:
    takes_it = "weight_decay" in inspect.signature(made).parameters
    if not takes_it and any(group["weight_decay"] for group in groups):
        message = f"{made.__name__} has no weight decay and would ignore it; set it to 0"
        raise ConfigError([ConfigProblem("optimizer.weight_decay", message)])


def _error(message: str) -> ConfigError:
    return ConfigError([ConfigProblem(_KEY, message)])
