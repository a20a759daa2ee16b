"""`evaluate`: how results are measured and shown."""

from typing import Annotated

from pydantic import Field

from vernier.config.base import Section
from vernier.config.duration import Duration
from vernier.config.types import Count, DurationField, Flag, Probability, Text


class ExtendedConfig(Section):
    """Validation on more sets, through a bundle that is saved for it, as `vernier evaluate` would."""

    data: dict[str, Text]
    """Name of each set, and its directory or CSV file."""
    every: DurationField = Duration(1, "ep")
    """How often: with the first validation when so much has passed."""
    from_epoch: Count = 1
    """The first epoch that it comes after."""


class EvaluateConfig(Section):
    """How results are measured and shown."""

    top_k: Count = 5
    """Also report how often the right class is among the k most probable; not with k classes or fewer."""
    threshold: Probability = 0.5
    """From this probability on, a binary or multilabel label counts as predicted."""
    per_class: Flag = False
    """Record precision, recall and F1 of each class at every validation: metrics_per_class.csv and TensorBoard."""
    calibration_bins: Count = 15
    """Equal-width confidence bins of the expected calibration error (Guo et al. 2017)."""
    worst: Annotated[int, Field(ge=0, strict=True)] = 24
    """Pictures of the worst errors in the report."""
    every: DurationField = Duration(1, "ep")
    """How often a training validates: `1ep`, `5ep`, `0.25ep`, `300st`, `10%`."""
    before_training: Flag = False
    """Validate before the first step too."""
    at_end: Flag = True
    """Validate after the last step, whatever `every` says."""
    evaluators: tuple[Text, ...] = ()
    """Your own measures, `package.module:callable` each: from an `Evaluated` to a mapping of names to numbers."""
    extended: ExtendedConfig | None = None
