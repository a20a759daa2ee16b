"""What every operation of an augmentation list has, and the types of their fields."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from vernier.config.base import Section
from vernier.config.types import Count, Number, Probability, Words, in_order

Interpolation = Literal["bilinear", "bicubic", "nearest"]
"""Of warps."""
ResizeKernel = Literal["bilinear", "bicubic", "nearest", "area", "lanczos3", "lanczos5", "gaussian", "mitchellcubic"]
"""Of resizes along the axes."""
Positive = Annotated[Number, Field(gt=0)]
NonNegative = Annotated[Number, Field(ge=0)]
Range = Annotated[tuple[Number, Number], AfterValidator(in_order), Words("a range, smaller number first")]
PositiveRange = Annotated[
    tuple[Positive, Positive],
    AfterValidator(in_order),
    Words("a range of numbers above 0, smaller number first"),
]
FactorRange = Annotated[
    tuple[NonNegative, NonNegative],
    AfterValidator(in_order),
    Words("a range of numbers from 0 on, smaller number first"),
]
AreaRange = Annotated[
    tuple[Annotated[Number, Field(gt=0, le=1)], Annotated[Number, Field(gt=0, le=1)]],
    AfterValidator(in_order),
    Words("a range of shares above 0 and up to 1, smaller number first"),
]
HueRange = Annotated[
    tuple[Annotated[Number, Field(ge=-0.5, le=0.5)], Annotated[Number, Field(ge=-0.5, le=0.5)]],
    AfterValidator(in_order),
    Words("a range of turns from -0.5 to 0.5, smaller number first"),
]


def epochs_rise(pairs: tuple[tuple[int, float], ...]) -> tuple[tuple[int, float], ...]:
    """The pairs themselves.

    Raises:
        ValueError: the epochs do not rise.
    """
    epochs = [epoch for epoch, _ in pairs]
    if epochs != sorted(set(epochs)):
        raise ValueError("the epochs have to rise")
    return pairs


class Operation(Section):
    """One step of an augmentation list. A sample gets it with probability `p` (alias `change_rate`)."""

    p: Probability = 1.0
    p_from: Annotated[
        tuple[tuple[Count, Probability], ...],
        AfterValidator(epochs_rise),
        Words("pairs [epoch, probability], epochs from 1 on and rising"),
    ] = ()
    """Other probabilities from some epochs on, counted from 0: `[[40, 0.3], [80, 0.5]]`; `p` holds before."""

    def probability_in(self, epoch: int) -> float:
        """How probable the operation is in an epoch, from 0."""
        passed = [p for first, p in self.p_from if first <= epoch]
        return passed[-1] if passed else self.p

    @property
    def probabilities(self) -> tuple[float, ...]:
        """All that it is ever probable."""
        return (self.p, *(p for _, p in self.p_from))

    @property
    def is_certain(self) -> bool:
        """Whether every sample gets it in every epoch."""
        return min(self.probabilities) == 1
