"""How several processes keep one model: torch's DistributedDataParallel or FSDP2, with arguments that are checked."""

import inspect
from collections.abc import Mapping
from typing import Any, final

from torch import nn
from torch.nn.parallel import DistributedDataParallel

from vernier.config.words import closest, did_you_mean, show
from vernier.errors import ConfigError, ConfigProblem
from vernier.training.fabric import DDPStrategy
from vernier.training.sharding import is_sharded, shard

_OURS = ("self", "module", "device_ids", "output_device", "dim", "process_group", "device_mesh", "mixed_precision")
"""Arguments that follow from the rest of the config."""


@final
class _Processes(DDPStrategy):
    """DDP's processes. A sharded model needs nothing around it: it exchanges its weights and gradients itself."""

    def setup_module(self, module: nn.Module) -> nn.Module:  # type: ignore[override]
        return module if is_sharded(module) else super().setup_module(module)


def make_processes(arguments: Mapping[str, Any]) -> DDPStrategy:
    """Several processes, with further arguments for DistributedDataParallel where that is what trains."""
    return _Processes(**arguments)


def check_strategy_kwargs(strategy: str, arguments: Mapping[str, Any]) -> None:
    """See that a strategy takes these arguments.

    Raises:
        ConfigError: all those that it does not take.
    """
    taker, known = _TAKERS[strategy]
    problems = [problem for name, value in arguments.items() if (problem := _problem(taker, name, value, known()))]
    if problems:
        raise ConfigError(problems)


def _ddp_arguments() -> dict[str, Any]:
    """Names of what a person may set, and their defaults."""
    parameters = inspect.signature(DistributedDataParallel.__init__).parameters
    return {name: parameter.default for name, parameter in parameters.items() if name not in _OURS}


def _fsdp_arguments() -> dict[str, Any]:
    parameters = inspect.signature(shard).parameters.values()
    return {parameter.name: parameter.default for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY}


_TAKERS = {"ddp": ("DistributedDataParallel", _ddp_arguments), "fsdp": ("fsdp", _fsdp_arguments)}


def _problem(taker: str, name: str, value: Any, known: Mapping[str, Any]) -> ConfigProblem | None:
    key = f"train.strategy_kwargs.{name}"
    if name not in known:
        hint = did_you_mean(closest(name, known)) or f"; it takes {', '.join(known)}"
        return ConfigProblem(key, f"{taker} has no such argument{hint}")
    if isinstance(known[name], bool) and not isinstance(value, bool):
        return ConfigProblem(key, f"must be true or false; got {show(value)}")
    return None
