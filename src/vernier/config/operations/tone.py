"""Operations on colours that are no matrix, and filters: each is a pass of its own over the pixels."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from vernier.config.operations.base import FactorRange, HueRange, NonNegative, Operation, Positive, PositiveRange
from vernier.config.operations.colour import ShiftRange
from vernier.config.types import Count, Number, Probability, Words, in_order

Bits = Annotated[int, Field(ge=1, le=8, strict=True)]
BitsRange = Annotated[tuple[Bits, Bits], AfterValidator(in_order), Words("a range from 1 to 8, smaller number first")]
Level = Annotated[int, Field(ge=0, le=255, strict=True)]
LevelRange = Annotated[
    tuple[Level, Level],
    AfterValidator(in_order),
    Words("a range of whole numbers from 0 to 255, smaller number first"),
]
Quality = Annotated[int, Field(ge=1, le=100, strict=True)]
QualityRange = Annotated[
    tuple[Quality, Quality],
    AfterValidator(in_order),
    Words("a range of whole numbers from 1 to 100, smaller number first"),
]
CountRange = Annotated[
    tuple[Count, Count],
    AfterValidator(in_order),
    Words("a range of whole numbers from 1 on, smaller number first"),
]
ShareRange = Annotated[
    tuple[Probability, Probability],
    AfterValidator(in_order),
    Words("a range of shares from 0 to 1, smaller number first"),
]
Turns = Annotated[Number, Field(ge=0, le=0.5)]


class Hue(Operation):
    """Turn the hue in HSV. Colours are clipped first; grey images stay as they are."""

    name: Literal["Hue"] = "Hue"
    delta: Turns | HueRange = 0.05
    """In turns; a number d draws from [-d, d], a range is the range itself."""


class Saturation(Operation):
    """Add to the saturation in HSV, which stays between 0 and 1. Grey pixels stay grey: they have no hue."""

    name: Literal["Saturation"] = "Saturation"
    delta: Probability | ShiftRange = 0.2
    """A number d draws from [-d, d], a range is the range itself."""


class Value(Operation):
    """Add to the value in HSV, the largest of red, green and blue, which stays in the range of a pixel."""

    name: Literal["Value"] = "Value"
    delta: Probability | ShiftRange = 0.2
    """In shares of the full range; a number d draws from [-d, d], a range is the range itself."""


class HSV(Operation):
    """Add to hue, saturation and value at once, as `Hue`, `Saturation` and `Value` do."""

    name: Literal["HSV"] = "HSV"
    hue: Turns | HueRange = 0.05
    saturation: Probability | ShiftRange = 0.2
    value: Probability | ShiftRange = 0.2


class RGBToHSV(Operation):
    """Hue, saturation and value take the places of red, green and blue, each from 0 to 255."""

    name: Literal["RGBToHSV"] = "RGBToHSV"
    p: Probability = 0.25


class Gamma(Operation):
    """255 (x / 255)^gamma; below 1 brightens."""

    name: Literal["Gamma"] = "Gamma"
    gamma: Positive | PositiveRange = (0.7, 1.4)
    """The exponent, or the range that it is drawn from."""


class Clip(Operation):
    """Cut colours off below `low` and above `high`; pixels are from 0 to 255, and no other colour change clips them."""

    name: Literal["Clip"] = "Clip"
    low: Number = 0.0
    high: Number = 255.0


class Posterize(Operation):
    """Keep the highest `bits` of each 8-bit value, a number drawn from a range."""

    name: Literal["Posterize"] = "Posterize"
    bits: Bits | BitsRange = (4, 8)


class Solarize(Operation):
    """8-bit values from a threshold on become 255 - x."""

    name: Literal["Solarize"] = "Solarize"
    threshold: Level | LevelRange = (0, 255)
    """The threshold, or the range that it is drawn from."""
    p: Probability = 0.25


class AutoContrast(Operation):
    """Stretch the 8-bit values of each colour to the full range."""

    name: Literal["AutoContrast"] = "AutoContrast"
    cutoff: Annotated[Number, Field(ge=0, lt=50)] = 10.0
    """Percent of the pixels that are left out of the range at either end."""
    p: Probability = 0.25


class Equalize(Operation):
    """Make all 8-bit values of each colour as frequent as each other, as far as that goes."""

    name: Literal["Equalize"] = "Equalize"
    p: Probability = 0.25


class Sharpness(Operation):
    """x + factor (x - s), where s is smoothed by [[1, 1, 1], [1, 5, 1], [1, 1, 1]] / 13; clipped to 0 to 255.

    The outermost pixels stay as they are. All channels are sharpened.
    """

    name: Literal["Sharpness"] = "Sharpness"
    factor: NonNegative | FactorRange = 1.0
    """A number v draws from [0, v], a range is the range itself."""


class Blur(Operation):
    """The mean of a square of pixels, in all channels."""

    name: Literal["Blur"] = "Blur"
    size: Count | CountRange = (1, 5)
    """Side of the square in pixels, or the range that it is drawn from; an even one reaches a pixel further to the
    right and down."""
    border: Literal["reflect", "replicate", "constant"] = "reflect"
    """What lies outside the image; `reflect` repeats its edge pixels."""
    fill: Level = 0
    """Value of a constant border."""


class GaussianBlur(Operation):
    """Convolve all channels with a Gaussian, cut off at 3 sigma; outside the image are its reflected pixels."""

    name: Literal["GaussianBlur"] = "GaussianBlur"
    sigma: NonNegative | FactorRange = (0.1, 2.0)
    """Standard deviation in pixels, or the range that it is drawn from."""


class GaussianNoise(Operation):
    """Add normally distributed noise to each colour of each pixel, and clip to 0 to 255."""

    name: Literal["GaussianNoise"] = "GaussianNoise"
    std: Probability | ShareRange = (0.0, 0.05)
    """Standard deviation in shares of the full range, or the range that it is drawn from for each image."""


class JPEG(Operation):
    """Compress as JPEG (colours at half the resolution) and decode."""

    name: Literal["JPEG"] = "JPEG"
    quality: Quality | QualityRange = (60, 100)
    """The quality, or the range that it is drawn from."""


AnyTone = (
    Hue
    | Saturation
    | Value
    | HSV
    | RGBToHSV
    | Gamma
    | Clip
    | Posterize
    | Solarize
    | AutoContrast
    | Equalize
    | Sharpness
    | Blur
    | GaussianBlur
    | GaussianNoise
    | JPEG
)
