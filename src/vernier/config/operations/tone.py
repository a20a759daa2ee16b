"""Operations on colours that are no matrix, and filters: each is a pass of its own over the pixels."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from vernier.config.operations.base import Operation
from vernier.config.types import Words, in_order

Bits = Annotated[int, Field(ge=1, le=8, strict=True)]
BitsRange = Annotated[tuple[Bits, Bits], AfterValidator(in_order), Words("a range from 1 to 8, smaller number first")]


class Posterize(Operation):
    """Keep the highest `bits` of each 8-bit value, a number drawn from a range."""

    name: Literal["Posterize"] = "Posterize"
    bits: Bits | BitsRange = (4, 8)


AnyTone = Posterize
