"""How several processes keep one model: torch's DistributedDataParallel, with arguments that are checked."""

import inspect
from collections.abc import Mapping
from typing import Any

from torch.nn.parallel import DistributedDataParallel

from vernier.config.words import closest, did_you_mean, show
from vernier.errors import ConfigError, ConfigProblem
from vernier.training.fabric import DDPStrategy

_OURS = ("self", "module", "device_ids", "output_device", "dim", "process_group", "device_mesh", "mixed_precision")
"""Arguments that follow from the rest of the config."""


def make_ddp(arguments: Mapping[str, Any]) -> DDPStrategy:
    """Data-parallel training with further arguments for DistributedDataParallel."""
    return DDPStrategy(**arguments)


def check_strategy_kwargs(arguments: Mapping[str, Any]) -> None:
    """See that DistributedDataParallel takes these arguments.

    Raises:
        ConfigError: all those that it does not take.
    """
    known = _parameters()
    problems = [problem for name, value in arguments.items() if (problem := _problem(name, value, known))]
    if problems:
        raise ConfigError(problems)


def _parameters() -> dict[str, Any]:
    """Names of what a person may set, and their defaults."""
    parameters = inspect.signature(DistributedDataParallel.__init__).parameters
    return {name: parameter.default for name, parameter in parameters.items() if name not in _OURS}


def _problem(name: str, value: Any, known: Mapping[str, Any]) -> ConfigProblem | None:
    key = f"train.strategy_kwargs.{name}"
    if name not in known:
        hint = did_you_mean(closest(name, known)) or f"; it takes {', '.join(known)}"
        return ConfigProblem(key, f"DistributedDataParallel has no such argument{hint}")
    if isinstance(known[name], bool) and not isinstance(value, bool):
        return ConfigProblem(key, f"must be true or false; got {show(value)}")
    return None
