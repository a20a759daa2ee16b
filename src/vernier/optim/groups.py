"""Which parameters of a network share a learning rate and weight decay."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import nn

from vernier.config.optimizer import LAMBConfig, MuonConfig, OptimizerConfig, OptimizerGroupConfig
from vernier.config.settled import settled
from vernier.errors import ConfigError, ConfigProblem, ModelError
from vernier.models.layer_selection import select_parameters
from vernier.optim.hidden_matrices import hidden_matrices
from vernier.optim.layer_decay import block_depths


@final
@dataclass(frozen=True)
class _Kind:
    """What parameters of one group have in common.

    It goes by the network and by which settings there are, not by their values, so that a training that goes on with
    other values finds its groups.

    Attributes:
        decayed: Whether weight decay is for them.
        rule: Index of the entry of `optimizer.groups`.
        depth: Blocks before theirs, with layer decay.
        by_muon: Whether Muon moves them.
    """

    decayed: bool
    rule: int | None
    depth: int | None
    by_muon: bool

    @property
    def name(self) -> str:
        """What it is called where learning rates are shown: `block3_weights`."""
        parts = [
            "" if self.rule is None else f"groups{self.rule}",
            "" if self.depth is None else f"block{self.depth}",
            "muon" if self.by_muon else "",
            "weights" if self.decayed else "norms_and_biases",
        ]
        return "_".join(part for part in parts if part)


def parameter_groups(
    module: nn.Module,
    config: OptimizerConfig,
    parameters: Collection[nn.Parameter] | None = None,
    lr: float | None = None,
) -> list[dict[str, Any]]:
    """Parameter groups for torch's optimizers; no group is empty.

    Each has `params`, `name`, `lr`, `weight_decay`, and `lr_factor`, its share of the optimizer's learning rate; None
    where `optimizer.groups` gives a learning rate. Parameters stand in the order of registration, groups in that of
    their first parameters.

    Args:
        module: The whole network.
        config: Resolved.
        parameters: Those to put into groups; None: all that require a gradient.
        lr: In place of `optimizer.lr`.

    Raises:
        ConfigError: a pattern of `optimizer.groups` that matches nothing, or an optimizer with nothing to do.
    """
    wanted = None if parameters is None else {id(parameter) for parameter in parameters}
    kinds = _kinds(module, config)
    members: dict[_Kind, list[nn.Parameter]] = {}
    for name, parameter in module.named_parameters():
        if parameter.requires_grad if wanted is None else id(parameter) in wanted:
            members.setdefault(kinds[name], []).append(parameter)
    last = max((kind.depth or 0 for kind in kinds.values()), default=0)
    rate = settled(config.lr) if lr is None else lr
    return [{"params": found, **_settings(kind, config, rate, last)} for kind, found in members.items()]


def set_learning_rate(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Let groups train with their shares of a learning rate; those with one of their own keep it."""
    for group in optimizer.param_groups:
        if group["lr_factor"] is not None:
            group["lr"] = lr * group["lr_factor"]


def check_groups(module: nn.Module, config: OptimizerConfig) -> None:
    """Check that each entry of `optimizer.groups` changes something.

    Args:
        module: With a gradient required for everything that will ever train.

    Raises:
        ConfigError: an entry for parameters that never train, that belong to an earlier entry, or that sets weight
            decay for biases and normalisation.
    """
    rules = _rules(module, config.groups)
    trained = {name: parameter for name, parameter in module.named_parameters() if parameter.requires_grad}
    problems = []
    for index, group in enumerate(config.groups):
        found = [parameter for name, parameter in trained.items() if rules.get(name) == index]
        key = f"optimizer.groups[{index}]"
        if not found:
            message = f"{group.pattern!r} is only for what never trains or what an entry before it has; leave it out"
            problems.append(ConfigProblem(f"{key}.pattern", message))
        elif group.weight_decay and not any(_is_decayed(parameter, config) for parameter in found):
            message = "is for biases and normalisation only, which are not decayed; set optimizer.decay_norm_and_bias"
            problems.append(ConfigProblem(f"{key}.weight_decay", message))
    if problems:
        raise ConfigError(problems)


def _kinds(module: nn.Module, config: OptimizerConfig) -> dict[str, _Kind]:
    rules = _rules(module, config.groups)
    depths = {} if config.layer_decay is None else block_depths(module)
    matrices = hidden_matrices(module) if isinstance(config, MuonConfig) else frozenset()
    return {
        name: _Kind(_is_decayed(parameter, config), rules.get(name), depths.get(name), name in matrices)
        for name, parameter in module.named_parameters()
    }


def _is_decayed(parameter: nn.Parameter, config: OptimizerConfig) -> bool:
    return config.decay_norm_and_bias or parameter.ndim > 1


def _rules(module: nn.Module, groups: Sequence[OptimizerGroupConfig]) -> Mapping[str, int]:
    """By the name of a parameter the index of the first entry that matches it."""
    rules: dict[str, int] = {}
    problems = []
    for index, group in enumerate(groups):
        key = f"optimizer.groups[{index}].pattern"
        try:
            for name in select_parameters(module, (group.pattern,), key):
                rules.setdefault(name, index)
        except ModelError as error:
            problems.append(ConfigProblem(key, str(error).removeprefix(f"{key}: ").removeprefix(f"{key}=")))
    if problems:
        raise ConfigError(problems)
    return rules


def _settings(kind: _Kind, config: OptimizerConfig, rate: float, last: int) -> dict[str, Any]:
    rule = None if kind.rule is None else config.groups[kind.rule]
    factor = _factor(kind, config, rule, last)
    own_rate = None if rule is None else rule.lr
    decay = config.weight_decay if rule is None or rule.weight_decay is None else rule.weight_decay
    return {
        "name": kind.name,
        "lr": rate * factor if own_rate is None else own_rate,
        "lr_factor": factor if own_rate is None else None,
        "weight_decay": decay if kind.decayed else 0.0,
        **_own_settings(kind, config),
    }


def _factor(kind: _Kind, config: OptimizerConfig, rule: OptimizerGroupConfig | None, last: int) -> float:
    factor = 1.0
    if config.layer_decay is not None and kind.depth is not None:
        factor *= config.layer_decay ** (last - kind.depth)
    if isinstance(config, MuonConfig) and not kind.by_muon:
        factor *= config.adamw_lr_factor
    if rule is not None and rule.lr_factor is not None:
        factor *= rule.lr_factor
    return factor


def _own_settings(kind: _Kind, config: OptimizerConfig) -> dict[str, Any]:
    """What only this kind of optimizer knows."""
    match config:
        case MuonConfig():
            return {"by_muon": kind.by_muon}
        case LAMBConfig():
            return {"adapted": kind.decayed}
    return {}
