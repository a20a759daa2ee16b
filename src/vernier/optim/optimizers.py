"""Optimizers from their config."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from vernier.config.optimizer import AdamWConfig, CustomOptimizerConfig, OptimizerConfig, SGDConfig
from vernier.config.settled import settled


def make_optimizer(module: nn.Module, config: OptimizerConfig) -> torch.optim.Optimizer:
    """The optimizer of the parameters that require a gradient.

    Weight decay leaves out what has one dimension or none (biases, normalisation weights) unless
    `decay_norm_and_bias` asks for it. Freeze parameters first.
    """
    # foreach is faster than a loop and bit-identical to it. fused is faster still, but on a CPU it reads gradients
    # and restored momenta in the wrong order when their memory format is not their parameter's (torch 2.15).
    groups = parameter_groups([p for p in module.parameters() if p.requires_grad], config)
    match config:
        case SGDConfig():
            return torch.optim.SGD(
                groups,
                lr=settled(config.lr),
                momentum=config.momentum,
                # Without momentum both forms are plain SGD, but torch refuses Nesterov's.
                nesterov=config.nesterov and config.momentum > 0,
                foreach=True,
            )
        case AdamWConfig():
            return torch.optim.AdamW(groups, lr=settled(config.lr), betas=config.betas, eps=config.eps, foreach=True)
        case CustomOptimizerConfig():
            raise NotImplementedError(config.callable)


def parameter_groups(parameters: Sequence[nn.Parameter], config: OptimizerConfig) -> list[dict[str, Any]]:
    """Parameters in their order: a group with weight decay, one without; none is empty."""
    decayed = [p for p in parameters if config.decay_norm_and_bias or p.ndim > 1]
    plain = [p for p in parameters if not config.decay_norm_and_bias and p.ndim <= 1]
    groups = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]
