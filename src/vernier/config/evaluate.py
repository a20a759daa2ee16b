"""`evaluate`: how results are measured and shown."""

from typing import Annotated

from pydantic import Field

from vernier.config.base import Section
from vernier.config.types import Count, Probability


class EvaluateConfig(Section):
    """How results are measured and shown."""

    top_k: Count = 5
    """Also report how often the right class is among the k most probable; not with k classes or fewer."""
    threshold: Probability = 0.5
    """From this probability on, a binary or multilabel label counts as predicted."""
    calibration_bins: Count = 15
    """Equal-width confidence bins of the expected calibration error (Guo et al. 2017)."""
    worst: Annotated[int, Field(ge=0, strict=True)] = 24
    """Pictures of the worst errors in the report."""
