"""Optimizers from their config."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from vernier.config.optimizer import (
    AdaBeliefConfig,
    AdadeltaConfig,
    AdagradConfig,
    AdamaxConfig,
    AdamConfig,
    AdamWConfig,
    AMSGradConfig,
    CustomOptimizerConfig,
    LAMBConfig,
    LionConfig,
    MuonConfig,
    NAdamConfig,
    OptimizerConfig,
    RAdamConfig,
    RMSpropConfig,
    SGDConfig,
)
from vernier.config.settled import settled
from vernier.optim.adabelief import AdaBelief
from vernier.optim.groups import check_groups, parameter_groups
from vernier.optim.lamb import LAMB
from vernier.optim.lazy_adagrad import make_lazy
from vernier.optim.lion import Lion
from vernier.optim.lookahead import Lookahead
from vernier.optim.muon import Muon
from vernier.optim.named import make_named_optimizer

_TORCH: Mapping[type, Callable[..., torch.optim.Optimizer]] = {
    SGDConfig: torch.optim.SGD,
    AdamConfig: torch.optim.Adam,
    AMSGradConfig: torch.optim.Adam,
    AdamWConfig: torch.optim.AdamW,
    AdamaxConfig: torch.optim.Adamax,
    NAdamConfig: torch.optim.NAdam,
    RAdamConfig: torch.optim.RAdam,
    AdagradConfig: torch.optim.Adagrad,
    AdadeltaConfig: torch.optim.Adadelta,
    RMSpropConfig: torch.optim.RMSprop,
}
_OWN: Mapping[type, Callable[..., torch.optim.Optimizer]] = {
    AdaBeliefConfig: AdaBelief,
    LAMBConfig: LAMB,
    LionConfig: Lion,
    MuonConfig: Muon,
}
_OF_GROUPS = {
    "name",
    "lr",
    "weight_decay",
    "decay_norm_and_bias",
    "layer_decay",
    "groups",
    "lookahead",
    "adamw_lr_factor",
}
"""Fields that parameter groups and lookahead carry out."""


def make_optimizer(module: nn.Module, config: OptimizerConfig) -> torch.optim.Optimizer:
    """The optimizer of the parameters that require a gradient.

    Weight decay leaves out what has one dimension or none (biases, normalisation weights) unless
    `decay_norm_and_bias` asks for it. Freeze parameters first.

    Args:
        config: Resolved.

    Raises:
        ConfigError: a pattern that matches nothing, or a class that can't be used.
    """
    optimizer = _make(parameter_groups(module, config), config)
    if isinstance(optimizer, torch.optim.Adagrad):
        make_lazy(optimizer)
    if config.lookahead is not None:
        Lookahead(optimizer, config.lookahead)
    return optimizer


def check_optimizer(module: nn.Module, config: OptimizerConfig) -> None:
    """Check all that is known of an optimizer before a training begins.

    Args:
        module: With a gradient required for everything that will ever train.

    Raises:
        ConfigError: as `make_optimizer`, or a group of parameters that never train.
    """
    check_groups(module, config)
    make_optimizer(module, config)


def _make(groups: list[dict[str, Any]], config: OptimizerConfig) -> torch.optim.Optimizer:
    if isinstance(config, CustomOptimizerConfig):
        return make_named_optimizer(groups, config)
    arguments: dict[str, Any] = {"lr": settled(config.lr), **_arguments(config)}
    if type(config) in _OWN:
        return _OWN[type(config)](groups, **arguments)
    # foreach is faster than a loop. fused is faster still, but on a CPU it reads gradients and restored momenta in
    # the wrong order when their memory format is not their parameter's (torch 2.15).
    return _TORCH[type(config)](groups, **arguments, foreach=True)


def _arguments(config: OptimizerConfig) -> dict[str, Any]:
    """The fields that are the class's own arguments, by the class's names."""
    fields: dict[str, Any] = config.model_dump(exclude=_OF_GROUPS)
    match config:
        case SGDConfig():
            # Without momentum both forms are plain SGD, but torch refuses Nesterov's.
            return {**fields, "nesterov": config.nesterov and config.momentum > 0}
        case AMSGradConfig():
            return {**fields, "amsgrad": True}
        case RMSpropConfig():
            return {"alpha" if name == "rho" else name: value for name, value in fields.items()}
    return fields
