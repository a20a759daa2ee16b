"""`optimizer`: one class a kind, chosen by `name`."""

from typing import Annotated, Literal

from pydantic import Field

from vernier.config.base import Section
from vernier.config.types import Anything, Auto, Flag, Number, Text

NonNegative = Annotated[Number, Field(ge=0)]
Momentum = Annotated[Number, Field(ge=0, lt=1)]


class SGDConfig(Section):
    """Stochastic gradient descent (torch.optim.SGD)."""

    name: Literal["sgd"] = "sgd"
    lr: NonNegative | Auto = 0.05
    """Highest learning rate; the schedule is a factor of it. auto: found by a range test before training."""
    momentum: Momentum = 0.9
    nesterov: Flag = True
    weight_decay: NonNegative = 1e-4
    decay_norm_and_bias: Flag = False
    """Apply weight decay to biases and normalisation weights too."""


class AdamWConfig(Section):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019; torch.optim.AdamW)."""

    name: Literal["adamw"] = "adamw"
    lr: NonNegative | Auto = 1e-3
    """Highest learning rate; the schedule is a factor of it. auto: found by a range test before training."""
    betas: tuple[Momentum, Momentum] = (0.9, 0.999)
    eps: Annotated[Number, Field(gt=0)] = 1e-8
    weight_decay: NonNegative = 0.01
    decay_norm_and_bias: Flag = False
    """Apply weight decay to biases and normalisation weights too."""


class CustomOptimizerConfig(Section):
    """An optimizer of torch's or your own: `optimizer=torch.optim.ASGD` is short for it."""

    name: Literal["custom"] = "custom"
    callable: Text
    """`torch.optim.Class` or `package.module:Class`; it takes parameter groups and `lr`."""
    lr: NonNegative | Auto = 1e-3
    """Highest learning rate; the schedule is a factor of it. auto: found by a range test before training."""
    weight_decay: NonNegative = 0.0
    decay_norm_and_bias: Flag = False
    """Apply weight decay to biases and normalisation weights too."""
    kwargs: dict[str, Anything] = Field(default_factory=dict)
    """Further arguments of the class."""


OptimizerConfig = Annotated[SGDConfig | AdamWConfig | CustomOptimizerConfig, Field(discriminator="name")]
