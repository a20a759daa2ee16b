"""`optimizer`: one class a kind, chosen by `name`."""

from typing import Annotated, Literal

from pydantic import Field

from vernier.config.base import Section
from vernier.config.types import Anything, Auto, Count, Flag, Number, Text

NonNegative = Annotated[Number, Field(ge=0)]
Positive = Annotated[Number, Field(gt=0)]
Momentum = Annotated[Number, Field(ge=0, lt=1)]


class LookaheadConfig(Section):
    """Slow weights that follow the optimizer's (Zhang et al. 2019)."""

    sync_period: Count = 6
    """Steps between two moves of the slow weights; the weights are then put back to them."""
    slow_step: Annotated[Number, Field(gt=0, le=1)] = 0.5
    """Share of the way to the weights that the slow ones go."""


class OptimizerGroupConfig(Section):
    """Parameters that train with settings of their own. The first group that matches a parameter has it."""

    pattern: Text
    """A regular expression for the whole dotted name of modules or parameters, or indices, as in `model.frozen`."""
    lr: NonNegative | None = None
    """Their learning rate before the schedule's factor; neither `lr_factor` nor `layer_decay` changes it."""
    lr_factor: NonNegative | None = None
    """Times `optimizer.lr`, besides `layer_decay`."""
    weight_decay: NonNegative | None = None
    """In place of `optimizer.weight_decay`, for what is decayed at all."""


class _Optimizer(Section):
    """What every kind has."""

    name: str
    lr: NonNegative | Auto
    weight_decay: NonNegative
    decay_norm_and_bias: Flag = False
    """Apply weight decay to biases and normalisation weights too, all that has one dimension."""
    layer_decay: Annotated[Number, Field(gt=0, le=1)] | None = None
    """Multiply the learning rate by this for every block between a parameter and the head, which has all of it."""
    groups: tuple[OptimizerGroupConfig, ...] = ()
    """Other settings for some parameters: `[{pattern: 'layer4', lr_factor: 0.1}]`."""
    lookahead: LookaheadConfig | None = None
    """Let slow weights follow these (Zhang et al. 2019): `{sync_period: 6, slow_step: 0.5}`."""


class SGDConfig(_Optimizer):
    """Stochastic gradient descent (torch.optim.SGD)."""

    name: Literal["sgd"] = "sgd"
    lr: NonNegative | Auto = 0.05
    """Highest learning rate; the schedule is a factor of it. auto: found by a range test before training."""
    weight_decay: NonNegative = 1e-4
    """L2: this times the weights is added to the gradients."""
    momentum: Momentum = 0.9
    nesterov: Flag = True
    """Look ahead along the momentum (Sutskever et al. 2013); without momentum it means nothing."""


class _AdamFields(_Optimizer):
    """What Adam and most of what follows it have."""

    betas: tuple[Momentum, Momentum] = (0.9, 0.999)
    """Shares of the averages of gradients and squared gradients that stay at a step."""
    eps: Positive = 1e-8


class AdamConfig(_AdamFields):
    """Adam (Kingma & Ba 2015; torch.optim.Adam)."""

    name: Literal["adam"] = "adam"
    lr: NonNegative | Auto = 1e-3
    """Highest learning rate; the schedule is a factor of it. auto: found by a range test before training."""
    weight_decay: NonNegative = 0.0
    """L2: this times the weights is added to the gradients, and divided as they are. `adamw` decouples it."""
    amsgrad: Flag = False
    """Divide by the largest average of squared gradients so far (Reddi et al. 2018)."""


class AMSGradConfig(_AdamFields):
    """Adam that divides by the largest average of squared gradients so far (Reddi et al. 2018; torch.optim.Adam)."""

    name: Literal["amsgrad"] = "amsgrad"
    lr: NonNegative | Auto = 1e-3
    """Highest learning rate; the schedule is a factor of it. auto: found by a range test before training."""
    weight_decay: NonNegative = 0.0
    """L2: this times the weights is added to the gradients, and divided as they are."""


class AdamWConfig(_AdamFields):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019; torch.optim.AdamW)."""

    name: Literal["adamw"] = "adamw"
    lr: NonNegative | Auto = 1e-3
    """Highest learning rate; the schedule is a factor of it. auto: found by a range test before training."""
    weight_decay: NonNegative = 0.01
    """Decoupled: each step takes lr times this off the weights."""
    amsgrad: Flag = False
    """Divide by the largest average of squared gradients so far (Reddi et al. 2018)."""


class AdamaxConfig(_AdamFields):
    """Adam with the largest gradient in place of the average of squares (Kingma & Ba 2015; torch.optim.Adamax)."""

    name: Literal["adamax"] = "adamax"
    lr: NonNegative | Auto = 2e-3
    """Highest learning rate; the schedule is a factor of it. auto: found by a range test before training."""
    weight_decay: NonNegative = 0.0
    """L2: this times the weights is added to the gradients."""


class NAdamConfig(_AdamFields):
    """Adam with Nesterov's momentum (Dozat 2016; torch.optim.NAdam)."""

    name: Literal["nadam"] = "nadam"
    lr: NonNegative | Auto = 2e-3
    """Highest learning rate; the schedule is a factor of it. auto: found by a range test before training."""
    weight_decay: NonNegative = 0.0
    """Decoupled: each step takes lr times this off the weights."""
    decoupled_weight_decay: Flag = True
    """false: L2, this times the weights is added to the gradients."""
    momentum_decay: NonNegative = 4e-3
    """How fast the first beta rises to its value."""


class RAdamConfig(_AdamFields):
    """Adam whose first steps are rectified instead of warmed up (Liu et al. 2020; torch.optim.RAdam)."""

    name: Literal["radam"] = "radam"
    lr: NonNegative | Auto = 1e-3
    """Highest learning rate; the schedule is a factor of it. auto: found by a range test before training."""
    weight_decay: NonNegative = 0.0
    """Decoupled: each step takes lr times this off the weights."""
    decoupled_weight_decay: Flag = True
    """false: L2, this times the weights is added to the gradients."""


class AdagradConfig(_Optimizer):
    """Steps divided by the root of the sum of all squared gradients (Duchi et al. 2011; torch.optim.Adagrad)."""

    name: Literal["adagrad"] = "adagrad"
    lr: NonNegative | Auto = 0.01
    """Highest learning rate; the schedule is a factor of it. auto: found by a range test before training."""
    weight_decay: NonNegative = 0.0
    """L2: this times the weights is added to the gradients."""
    initial_accumulator_value: NonNegative = 0.0
    """What the sums begin with; Keras begins with 0.1."""
    eps: Positive = 1e-10


class AdadeltaConfig(_Optimizer):
    """Steps in the units of the weights (Zeiler 2012; torch.optim.Adadelta)."""

    name: Literal["adadelta"] = "adadelta"
    lr: NonNegative | Auto = 1.0
    """Highest learning rate; the schedule is a factor of it. auto: found by a range test before training."""
    weight_decay: NonNegative = 0.0
    """L2: this times the weights is added to the gradients."""
    rho: Momentum = 0.95
    """Share of the averages of squares that stays at a step."""
    eps: Positive = 1e-6


class RMSpropConfig(_Optimizer):
    """Steps divided by the root of an average of squared gradients (Hinton 2012; torch.optim.RMSprop)."""

    name: Literal["rmsprop"] = "rmsprop"
    lr: NonNegative | Auto = 1e-3
    """Highest learning rate; the schedule is a factor of it. auto: found by a range test before training."""
    weight_decay: NonNegative = 0.0
    """L2: this times the weights is added to the gradients."""
    rho: Momentum = 0.9
    """Share of the average of squared gradients that stays at a step; torch calls it alpha."""
    momentum: Momentum = 0.0
    centered: Flag = False
    """Divide by the root of an estimate of the variance (Graves 2013)."""
    eps: Positive = 1e-8


class AdaBeliefConfig(_AdamFields):
    """Adam that divides by how far gradients are from their average (Zhuang et al. 2020)."""

    name: Literal["adabelief"] = "adabelief"
    lr: NonNegative | Auto = 1e-3
    """Highest learning rate; the schedule is a factor of it. auto: found by a range test before training."""
    weight_decay: NonNegative = 0.0
    """Decoupled: each step takes lr times this off the weights."""
    eps: Positive = 1e-16
    rectify: Flag = True
    """Rectify the first steps as `radam` does."""
    amsgrad: Flag = False
    """Divide by the largest estimate so far."""


class LAMBConfig(_AdamFields):
    """Adam whose step is scaled to the norm of each weight, for large batches (You et al. 2020)."""

    name: Literal["lamb"] = "lamb"
    lr: NonNegative | Auto = 2e-3
    """Highest learning rate; the schedule is a factor of it. auto: found by a range test before training."""
    weight_decay: NonNegative = 0.01
    """Decoupled: this times the weights is added to the step before it is scaled. What is not decayed, biases and
    normalisation, is not scaled either."""
    eps: Positive = 1e-6


class LionConfig(_Optimizer):
    """Steps of one size by the sign of an average of gradients (Chen et al. 2023)."""

    name: Literal["lion"] = "lion"
    lr: NonNegative | Auto = 1e-4
    """Highest learning rate, 3 to 10 times lower than for `adamw`; the schedule is a factor of it. auto: found by a
    range test before training."""
    weight_decay: NonNegative = 0.1
    """Decoupled: each step takes lr times this off the weights; 3 to 10 times higher than for `adamw`."""
    betas: tuple[Momentum, Momentum] = (0.9, 0.99)
    """Share of the average in a step, and share of it that stays at a step."""


class MuonConfig(_AdamFields):
    """Orthogonalised momentum for the matrices of hidden layers, AdamW for the rest (Jordan et al. 2024).

    The rest is what has one dimension, the first and the last layer, embeddings and grouped convolutions. The kernels
    of a convolution are the rows of its matrix.
    """

    name: Literal["muon"] = "muon"
    lr: NonNegative | Auto = 2e-3
    """Highest learning rate; the schedule is a factor of it. auto: found by a range test before training."""
    weight_decay: NonNegative = 0.1
    """Decoupled: each step takes lr times this off the weights."""
    momentum: Momentum = 0.95
    nesterov: Flag = True
    ns_steps: Annotated[int, Field(ge=1, le=20, strict=True)] = 5
    """Newton-Schulz iterations that orthogonalise."""
    adjust_lr: Literal["match_rms_adamw", "original"] = "match_rms_adamw"
    """Times the learning rate of a matrix with r rows and c columns: match_rms_adamw 0.2 sqrt(max(r, c)), so that
    both parts do with one learning rate (Liu et al. 2025), original sqrt(max(1, r / c)), made for 0.02."""
    adamw_lr_factor: Positive = 1.0
    """Learning rate of what AdamW trains, as a share of `optimizer.lr`."""


class CustomOptimizerConfig(_Optimizer):
    """An optimizer of torch's or your own: `optimizer=torch.optim.ASGD` is short for it."""

    name: Literal["custom"] = "custom"
    callable: Text
    """`torch.optim.Class` or `package.module:Class`; it takes parameter groups and `lr`."""
    lr: NonNegative | Auto = 1e-3
    """Highest learning rate; the schedule is a factor of it. auto: found by a range test before training."""
    weight_decay: NonNegative = 0.0
    """The class's own argument of this name, in place of its default; decoupled or L2 as the class has it."""
    kwargs: dict[str, Anything] = Field(default_factory=dict)
    """Further arguments of the class."""


OptimizerConfig = Annotated[
    SGDConfig
    | AdamConfig
    | AMSGradConfig
    | AdamWConfig
    | AdamaxConfig
    | NAdamConfig
    | RAdamConfig
    | AdagradConfig
    | AdadeltaConfig
    | RMSpropConfig
    | AdaBeliefConfig
    | LAMBConfig
    | LionConfig
    | MuonConfig
    | CustomOptimizerConfig,
    Field(discriminator="name"),
]
