"""`loss`: what training minimises, one class a kind, chosen by `name`."""

from typing import Annotated, Literal

from pydantic import Field

from vernier.config.base import Section
from vernier.config.types import Anything, Number, Text

NonNegative = Annotated[Number, Field(ge=0)]
Positive = Annotated[Number, Field(gt=0)]


class DistillationConfig(Section):
    """Learn a teacher's probabilities too (Hinton et al. 2015)."""

    teacher: Text
    """A bundle or a run with the same classes."""
    temperature: Positive = 4.0
    """Logits of both are divided by it."""
    weight: Annotated[Number, Field(gt=0, le=1)] = 0.5
    """Share of the teacher's part in the loss."""


class _Loss(Section):
    """What every loss has."""

    l2: NonNegative = 0.0
    """Add this times the sum of the squared weights (not of biases and normalisation) to the loss, as Keras's L2
    regularizer does. With adaptive optimizers it is not the same as `optimizer.weight_decay`."""
    distillation: DistillationConfig | None = None


class AutoLossConfig(_Loss):
    """Cross-entropy for multiclass, binary cross-entropy for binary and multilabel tasks."""

    name: Literal["auto"] = "auto"
    label_smoothing: Annotated[Number, Field(ge=0, lt=1)] = 0.0
    """Share of each target spread evenly over the possible answers (Szegedy et al. 2016)."""
    class_weights: Literal["balanced", "effective_number"] | dict[str, Positive] | tuple[Positive, ...] | None = None
    """Weights of the classes' images: balanced (n / (C n_c)), effective_number ((1 - b) / (1 - b^n_c), Cui et al.
    2019), a mapping by class name, or a list in the order of the classes."""
    effective_number_beta: Annotated[Number, Field(gt=0, lt=1)] = 0.999
    logit_adjustment: Positive | None = None
    """Add this times the logarithm of the class shares to the logits in training (Menon et al. 2021); 1 is usual."""


class CustomLossConfig(_Loss):
    """A loss of your own: `loss=package.module:callable` is short for it."""

    name: Literal["custom"] = "custom"
    callable: Text
    """`package.module:callable`, from logits (n, outputs) and targets to a loss for each image (n,)."""
    kwargs: dict[str, Anything] = Field(default_factory=dict)
    """Further arguments of the callable."""


LossConfig = Annotated[AutoLossConfig | CustomLossConfig, Field(discriminator="name")]
