"""Operations that change colours by a matrix an image. Neighbours merge into one matrix."""

from typing import Annotated, Literal

from pydantic import Field

from vernier.config.operations.base import FactorRange, HueRange, NonNegative, Operation, Positive
from vernier.config.types import Auto, Number


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


AnyColour = ColorJitter | Normalize | Rescale
