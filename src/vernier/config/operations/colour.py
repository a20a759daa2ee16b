"""Operations that change colours by a matrix an image. Neighbours merge into one matrix."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from vernier.config.operations.base import FactorRange, HueRange, NonNegative, Operation, Positive
from vernier.config.types import Auto, Number, Probability, Words, in_order

_Shift = Annotated[Number, Field(ge=-1, le=1)]
ShiftRange = Annotated[
    tuple[_Shift, _Shift],
    AfterValidator(in_order),
    Words("a range of shares from -1 to 1, smaller number first"),
]


class ColorJitter(Operation):
    """Change brightness, contrast, saturation and hue, in this order.

    A number b draws the factor from [max(0, 1 - b), 1 + b] (hue: the shift from [-b, b] turns); a range is
    the range itself. Contrast pivots on the image's mean grey, saturation blends with the grey image
    (ITU-R BT.601 weights), hue turns in HSV.
    """

    name: Literal["ColorJitter"] = "ColorJitter"
    brightness: NonNegative | FactorRange = 0.0
    contrast: NonNegative | FactorRange = 0.0
    saturation: NonNegative | FactorRange = 0.0
    hue: Annotated[Number, Field(ge=0, le=0.5)] | HueRange = 0.0


class Brightness(Operation):
    """Add to all colours alike. Nothing is clipped: `Clip` does that."""

    name: Literal["Brightness"] = "Brightness"
    delta: Probability | ShiftRange = 0.2
    """In shares of the full range; a number b draws from [-b, b], a range is the range itself."""


class Contrast(Operation):
    """Move every colour away from its mean over the image, or towards it. Nothing is clipped: `Clip` does that."""

    name: Literal["Contrast"] = "Contrast"
    factor: NonNegative | FactorRange = 0.4
    """A number v draws from [max(0, 1 - v), 1 + v], a range is the range itself."""


class Grayscale(Operation):
    """Red, green and blue become the image's grey (ITU-R BT.601); there are still three channels."""

    name: Literal["Grayscale"] = "Grayscale"
    p: Probability = 0.25


class Invert(Operation):
    """255 - x."""

    name: Literal["Invert"] = "Invert"
    p: Probability = 0.25


class Normalize(Operation):
    """(x / 255 - mean) / std for each channel. auto: the model's own."""

    name: Literal["Normalize"] = "Normalize"
    mean: Number | tuple[Number, ...] | Auto = "auto"
    std: Positive | tuple[Positive, ...] | Auto = "auto"


class Rescale(Operation):
    """x * scale + offset, x from 0 to 255."""

    name: Literal["Rescale"] = "Rescale"
    scale: Number = 1 / 255
    offset: Number = 0.0


AnyColour = ColorJitter | Brightness | Contrast | Grayscale | Invert | Normalize | Rescale
