"""`callbacks`: what watches a training."""

from typing import Annotated, Literal

from pydantic import Field

from vernier.config.base import Section
from vernier.config.types import Auto, Count, Number, Text


class EarlyStoppingConfig(Section):
    """Stop when the monitored validation metric no longer improves."""

    patience: Count
    """Epochs without improvement before training stops."""
    monitor: Text | Auto = "auto"
    """auto: `train.monitor`."""
    mode: Literal["max", "min"] | Auto = "auto"
    """auto: min for losses and errors, max for everything else."""
    min_delta: Annotated[Number, Field(ge=0)] = 0.0
    """A change smaller than this is no improvement."""


class CallbacksConfig(Section):
    """What watches a training."""

    early_stopping: EarlyStoppingConfig | None = None
