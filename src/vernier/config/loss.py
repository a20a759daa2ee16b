"""`loss`: what training minimises, one class a kind, chosen by `name`."""

from typing import Annotated, Literal

from pydantic import Field

from vernier.config.base import Section
from vernier.config.types import Anything, Number, Probability, Text

NonNegative = Annotated[Number, Field(ge=0)]
Positive = Annotated[Number, Field(gt=0)]
Smoothing = Annotated[Number, Field(ge=0, lt=1)]
ClassWeights = Literal["balanced", "effective_number"] | dict[str, Positive] | tuple[Positive, ...]
PositiveWeights = Literal["balanced"] | dict[str, Positive] | tuple[Positive, ...]


class DistillationConfig(Section):
    """Learn a teacher's probabilities too (Hinton et al. 2015)."""

    teacher: Text
    """A bundle or a run with the same task, classes and channels."""
    temperature: Positive = 4.0
    """Logits of both are divided by it."""
    weight: Annotated[Number, Field(gt=0, le=1)] = 0.5
    """Share of the teacher's part in the loss."""


class _Loss(Section):
    """What every loss has."""

    name: str
    l2: NonNegative = 0.0
    """Add this times the sum of the squared weights (not of biases and normalisation) to the loss, as Keras's L2
    regularizer does. With adaptive optimizers it is not the same as `optimizer.weight_decay`."""
    distillation: DistillationConfig | None = None


class _Smoothed(_Loss):
    """Of soft targets."""

    label_smoothing: Smoothing = 0.0
    """Share of each target spread evenly over the possible answers (Szegedy et al. 2016)."""


class _ClassWeighted(_Loss):
    """Of one class an image."""

    class_weights: ClassWeights | None = None
    """Weights of the classes' images: balanced (n / (C n_c)), effective_number ((1 - b) / (1 - b^n_c), Cui et al.
    2019), a mapping by class name, or a list in the order of the classes. They are scaled so that the training images'
    mean weight is 1."""
    effective_number_beta: Annotated[Number, Field(gt=0, lt=1)] = 0.999
    """b of effective_number: classes beyond some 1 / (1 - b) images are taken for equally large."""


class _LogitAdjusted(_Loss):
    """Of a softmax."""

    logit_adjustment: Positive | None = None
    """Add this times the logarithm of the class shares to the logits in training (Menon et al. 2021); 1 is usual."""


class _PositiveWeighted(_Loss):
    """Of sigmoids."""

    positive_weights: PositiveWeights | None = None
    """Factor of the loss where a label is set: a number, balanced (images without the label / images with it), a
    mapping by label, or a list in the order of the labels. A binary task has one label, its second class."""


class AutoLossConfig(_PositiveWeighted, _LogitAdjusted, _ClassWeighted, _Smoothed):
    """cross_entropy for multiclass, bce for binary and multilabel tasks, with the fields given here."""

    name: Literal["auto"] = "auto"


class CrossEntropyConfig(_LogitAdjusted, _ClassWeighted, _Smoothed):
    """Softmax cross-entropy, for one class an image (multiclass)."""

    name: Literal["cross_entropy"] = "cross_entropy"


class BinaryCrossEntropyConfig(_PositiveWeighted, _Smoothed):
    """Cross-entropy of sigmoids, for binary and multilabel tasks; an image's loss is the mean over its labels."""

    name: Literal["bce"] = "bce"


class FocalLossConfig(_ClassWeighted):
    """Focal loss, -(1 - p)^gamma log p of the right answer's p (Lin et al. 2017), for every task."""

    name: Literal["focal"] = "focal"
    gamma: NonNegative = 2.0
    """How much less images count that are right already; 0 is cross-entropy."""
    alpha: Probability | None = None
    """Binary and multilabel: weight where a label is set, 1 - alpha where it is not; 0.25 in the paper."""


class CustomLossConfig(_Loss):
    """A loss of your own: `loss=package.module:callable` is short for it."""

    name: Literal["custom"] = "custom"
    callable: Text
    """`package.module:callable`, from logits (n, outputs) and targets to a loss for each image (n,). A class is made
    once and then called."""
    kwargs: dict[str, Anything] = Field(default_factory=dict)
    """Further arguments of the callable, or of the class."""


LossConfig = Annotated[
    AutoLossConfig | CrossEntropyConfig | BinaryCrossEntropyConfig | FocalLossConfig | CustomLossConfig,
    Field(discriminator="name"),
]
