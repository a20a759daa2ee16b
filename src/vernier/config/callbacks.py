"""`callbacks`: what watches a training."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from vernier.config.base import FieldConflict, Section
from vernier.config.types import Anything, Auto, Count, Number, Text


class EarlyStoppingConfig(Section):
    """Stop when the monitored validation metric no longer improves, or is good enough."""

    patience: Count | None = None
    """Validations without improvement before training stops; none: only the thresholds stop it."""
    check_every: Count = 1
    """Only every this many validations can count as one without improvement; improvements always count."""
    monitor: Text | Auto = "auto"
    """auto: `train.monitor`."""
    mode: Literal["max", "min"] | Auto = "auto"
    """auto: min for losses and errors, max for everything else."""
    min_delta: Annotated[Number, Field(ge=0)] = 0.0
    """Only a change by more than this is an improvement."""
    lower_threshold: Number | None = None
    """Mode max: patience only counts once the best value is at least this. Mode min: stop at once when the best
    value is at most this."""
    upper_threshold: Number | None = None
    """Mode max: stop at once when the best value is at least this. Mode min: patience only counts once the best
    value is at most this."""

    @model_validator(mode="after")
    def _thresholds_in_order(self) -> "EarlyStoppingConfig":
        low, high = self.lower_threshold, self.upper_threshold
        if low is not None and high is not None and low > high:
            raise FieldConflict(
                ("lower_threshold", "upper_threshold"),
                f"must not be above upper_threshold ({high:g}); got {low:g}; exchange them",
            )
        return self


class CustomCallbackConfig(Section):
    """A callback of your own."""

    name: Text
    """`package.module:Class` of a class derived from `vernier.training.callbacks.callback.Callback`."""
    kwargs: dict[str, Anything] = Field(default_factory=dict)
    """Arguments of the class."""


def _entries(value: Any) -> Any:
    """One or several; a bare name is an entry without arguments."""
    entries = value if isinstance(value, list | tuple) else [value]
    return [{"name": entry} if isinstance(entry, str) else entry for entry in entries]


class CallbacksConfig(Section):
    """What watches a training."""

    early_stopping: EarlyStoppingConfig | None = None
    custom: Annotated[tuple[CustomCallbackConfig, ...], BeforeValidator(_entries)] = ()
    """Callbacks of your own, in this order: `[{name: package.module:Class, kwargs: {...}}]`."""
