"""`schedule`: the learning rate as a function of progress."""

from typing import Annotated, Literal

from pydantic import Field

from vernier.config.base import Section
from vernier.config.duration import Duration
from vernier.config.types import Anything, DurationField, Number, Text

Factor = Annotated[Number, Field(ge=0, le=1)]


class ConstantConfig(Section):
    """The learning rate stays, after an optional warm-up."""

    name: Literal["constant"] = "constant"
    warmup: DurationField = Duration(0, "st")
    """Linear rise from `warmup_factor` of the learning rate."""
    warmup_factor: Factor = 0.0


class CosineConfig(Section):
    """Half a cosine from the learning rate down to `final_factor` of it (Loshchilov & Hutter 2017)."""

    name: Literal["cosine"] = "cosine"
    warmup: DurationField = Duration(0, "st")
    """Linear rise from `warmup_factor` of the learning rate."""
    warmup_factor: Factor = 0.0
    final_factor: Factor = 0.0


class OneCycleConfig(Section):
    """One cycle (Smith 2018): a cosine rise over `rise` of the training, then a cosine fall."""

    name: Literal["one_cycle"] = "one_cycle"
    rise: Annotated[Number, Field(gt=0, lt=1)] = 0.3
    """Share of the training that the rise takes."""
    start_divisor: Annotated[Number, Field(ge=1)] = 25.0
    """The first learning rate is the highest divided by this."""
    final_divisor: Annotated[Number, Field(gt=0)] = 1e4
    """The last learning rate is the first divided by this."""


class CustomScheduleConfig(Section):
    """A schedule of your own: `schedule=package.module:callable` is short for it."""

    name: Literal["custom"] = "custom"
    callable: Text
    """`package.module:callable`, from progress (0 to 1) to a factor of the learning rate."""
    kwargs: dict[str, Anything] = Field(default_factory=dict)
    """Further arguments of the callable."""


ScheduleConfig = Annotated[
    ConstantConfig | CosineConfig | OneCycleConfig | CustomScheduleConfig, Field(discriminator="name")
]
