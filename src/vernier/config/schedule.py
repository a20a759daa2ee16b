"""`schedule`: the learning rate as a function of progress, one class a kind, chosen by `name`.

Every value is a factor of `optimizer.lr`.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from vernier.config.base import Section
from vernier.config.duration import Duration
from vernier.config.types import Anything, Auto, Count, DurationField, Flag, Number, Text, Words, in_order

Factor = Annotated[Number, Field(ge=0, le=1)]
DecayRate = Annotated[Number, Field(gt=0, le=1)]
NonNegative = Annotated[Number, Field(ge=0)]
Power = Annotated[Number, Field(gt=0)]
Momentum = Annotated[Number, Field(ge=0, lt=1)]
MomentumRange = Annotated[
    tuple[Momentum, Momentum],
    AfterValidator(in_order),
    Words("a range of numbers from 0 on and below 1, smaller number first"),
]
Per = Literal["step", "epoch"]

_AT_ONCE = Duration(0, "st")
_EPOCH = Duration(1, "ep")
_HALF, _THREE_QUARTERS = Duration(50, "%"), Duration(75, "%")


class ScheduleSection(Section):
    """What every schedule has: a warm-up and a hold come first; all other durations count from their end."""

    warmup: DurationField = _AT_ONCE
    """Linear rise from `warmup_factor` of the first value to the first value, step by step."""
    warmup_factor: Factor = 0.0
    hold: DurationField = _AT_ONCE
    """Stay at the first value this long after the warm-up."""


class SteppedSection(ScheduleSection):
    """A schedule that may change at every step, or between epochs only."""

    per: Per = "step"
    """`epoch`: all steps of an epoch after the warm-up have the value of its first step."""


class ConstantConfig(ScheduleSection):
    """The learning rate stays."""

    name: Literal["constant"] = "constant"


class ExponentialConfig(SteppedSection):
    """decay_rate^(t / every) after time t; with `staircase` only whole quotients count."""

    name: Literal["exponential"] = "exponential"
    decay_rate: DecayRate = 0.95
    every: DurationField = _EPOCH
    staircase: Flag = False
    min_factor: Factor = 0.0
    """It falls no lower than this."""


class ExponentialCosineConfig(SteppedSection):
    """An exponential fall in steps, which a cosine takes down to `final_factor` of itself at the end."""

    name: Literal["exponential_cosine"] = "exponential_cosine"
    decay_rate: DecayRate = 0.95
    every: DurationField = _EPOCH
    staircase: Flag = True
    cosine: DurationField = _HALF
    """The cosine takes the last so much of the training."""
    final_factor: Factor = 0.0


class StepConfig(SteppedSection):
    """Times `decay_rate` after every `every`."""

    name: Literal["step"] = "step"
    decay_rate: DecayRate = 0.1
    every: DurationField = Duration(30, "%")
    min_factor: Factor = 0.0
    """It falls no lower than this."""


class MultiStepConfig(SteppedSection):
    """Times `decay_rate` at each milestone."""

    name: Literal["multi_step"] = "multi_step"
    decay_rate: DecayRate = 0.1
    milestones: tuple[DurationField, ...] = (_HALF, _THREE_QUARTERS)
    """From the first step at each of these times on."""
    min_factor: Factor = 0.0
    """It falls no lower than this."""


class PiecewiseConstantConfig(SteppedSection):
    """A value for each piece between boundaries."""

    name: Literal["piecewise_constant"] = "piecewise_constant"
    boundaries: tuple[DurationField, ...] = (_HALF, _THREE_QUARTERS)
    """The next value holds from the first step at each of these times on."""
    factors: tuple[NonNegative, ...] = (1.0, 0.1, 0.01)
    """One more than there are boundaries."""


class ExplicitConfig(ScheduleSection):
    """A list of values, each for one `every`; the last one stays."""

    name: Literal["explicit"] = "explicit"
    factors: tuple[NonNegative, ...] = ()
    every: DurationField = _EPOCH


class LinearConfig(SteppedSection):
    """A straight line from 1 to `final_factor`, which stays."""

    name: Literal["linear"] = "linear"
    length: DurationField | None = None
    """How long the fall takes; null: the rest of the training."""
    final_factor: Factor = 0.0


class PolynomialConfig(SteppedSection):
    """final_factor + (1 - final_factor) (1 - t / length)^power."""

    name: Literal["polynomial"] = "polynomial"
    power: Power = 1.0
    length: DurationField | None = None
    """How long the fall takes; null: the rest of the training."""
    final_factor: Factor = 0.0


class PolynomialRestartsConfig(SteppedSection):
    """A polynomial fall that goes on from a higher point after every `period`: t / length with length the periods
    begun (TensorFlow's PolynomialDecay with `cycle`)."""

    name: Literal["polynomial_restarts"] = "polynomial_restarts"
    power: Power = 1.0
    period: DurationField = Duration(25, "%")
    final_factor: Factor = 0.0


class InverseTimeConfig(SteppedSection):
    """1 / (1 + decay_rate t / every); with `staircase` only whole quotients count."""

    name: Literal["inverse_time"] = "inverse_time"
    decay_rate: NonNegative = 1.0
    every: DurationField = _EPOCH
    staircase: Flag = False
    min_factor: Factor = 0.0
    """It falls no lower than this."""


class CosineConfig(SteppedSection):
    """Half a cosine from 1 down to `final_factor`, which stays (Loshchilov & Hutter 2017)."""

    name: Literal["cosine"] = "cosine"
    length: DurationField | None = None
    """How long the fall takes; null: the rest of the training."""
    final_factor: Factor = 0.0


class CosineRestartsConfig(SteppedSection):
    """Half cosines, each from the top down to `final_factor` (SGDR, Loshchilov & Hutter 2017)."""

    name: Literal["cosine_restarts"] = "cosine_restarts"
    period: DurationField = Duration(25, "%")
    """Length of the first one."""
    t_mul: Annotated[Number, Field(ge=1)] = 1.0
    """Each is so many times as long as the one before, in whole steps."""
    m_mul: DecayRate = 1.0
    """Each rises above `final_factor` by so much of what the one before did."""
    final_factor: Factor = 0.0


class FlatAndAnnealConfig(SteppedSection):
    """Flat for most of the training, then half a cosine down to `final_factor`."""

    name: Literal["flat_and_anneal"] = "flat_and_anneal"
    hold: DurationField = _THREE_QUARTERS
    """The flat part, after the warm-up."""
    final_factor: Factor = 0.0


class NoamConfig(ScheduleSection):
    """A linear warm-up, then falling with the square root of the steps (Vaswani et al. 2017).

    At step t, counted from 1, min(t / warmup, sqrt(warmup / t)): the top is at the end of the warm-up.
    """

    name: Literal["noam"] = "noam"


class OneCycleConfig(ScheduleSection):
    """One cycle (Smith 2018): a cosine rise over `rise` of the training, then a cosine fall."""

    name: Literal["one_cycle"] = "one_cycle"
    rise: Annotated[Number, Field(gt=0, lt=1)] = 0.3
    """Share of the cycle that the rise takes."""
    start_divisor: Annotated[Number, Field(ge=1)] = 25.0
    """The first learning rate is the highest divided by this."""
    final_divisor: Annotated[Number, Field(gt=0)] = 1e4
    """The last learning rate is the first divided by this."""
    momentum: MomentumRange | None = None
    """Momentum (the first of `betas` in optimizers that have those) falls from the second of these to the first
    while the learning rate rises, and rises again, as in `[0.85, 0.95]`. null: it stays as the optimizer has it."""


class ReduceOnPlateauConfig(ScheduleSection):
    """Times `factor` whenever a validation metric has not improved for `patience` validations."""

    name: Literal["reduce_on_plateau"] = "reduce_on_plateau"
    factor: Annotated[Number, Field(gt=0, lt=1)] = 0.1
    patience: Count = 10
    """Validations in a row without improvement."""
    min_delta: NonNegative = 1e-4
    """A change that is not larger than this is no improvement."""
    cooldown: Annotated[int, Field(ge=0, strict=True)] = 0
    """So many validations after a reduction are not counted."""
    min_factor: Factor = 0.0
    """It falls no lower than this."""
    monitor: Text = "loss"
    """A validation metric, such as accuracy."""
    mode: Literal["max", "min"] | Auto = "auto"
    """auto: min for losses and errors, max for everything else."""


class CustomScheduleConfig(SteppedSection):
    """A schedule of your own: `schedule=package.module:callable` is short for it."""

    name: Literal["custom"] = "custom"
    callable: Text
    """`package.module:callable`, from `progress` (0 at the end of warm-up and hold, 1 at the end of the training) to
    a factor of the learning rate."""
    kwargs: dict[str, Anything] = Field(default_factory=dict)
    """Further arguments of the callable."""


ScheduleConfig = Annotated[
    ConstantConfig
    | ExponentialConfig
    | ExponentialCosineConfig
    | StepConfig
    | MultiStepConfig
    | PiecewiseConstantConfig
    | ExplicitConfig
    | LinearConfig
    | PolynomialConfig
    | PolynomialRestartsConfig
    | InverseTimeConfig
    | CosineConfig
    | CosineRestartsConfig
    | FlatAndAnnealConfig
    | NoamConfig
    | OneCycleConfig
    | ReduceOnPlateauConfig
    | CustomScheduleConfig,
    Field(discriminator="name"),
]
