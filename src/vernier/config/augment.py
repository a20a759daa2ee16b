"""`augment`: ordered lists of operations for training and evaluation, one class an operation."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from vernier.config.base import Section
from vernier.config.types import Auto, Number, Probability, Size

Interpolation = Literal["bilinear", "bicubic", "nearest"]
Positive = Annotated[Number, Field(gt=0)]
NonNegative = Annotated[Number, Field(ge=0)]
Range = tuple[Number, Number]


class Operation(Section):
    """One step of an augmentation list. `p` (alias `change_rate`) is the probability that a sample gets it."""

    p: Probability = Field(1.0, validation_alias="p")


class Resize(Operation):
    """Resize to `size` (auto: `model.input_size`).

    fit: exactly that size, the aspect ratio changes. shortest: the shorter side takes it, the aspect ratio
    stays. letterbox: the longer side fits, the rest is filled.
    """

    name: Literal["Resize"] = "Resize"
    size: Size | Auto = "auto"
    mode: Literal["fit", "shortest", "letterbox"] = "fit"


class CentralCrop(Operation):
    """The middle of the image: `size` in pixels (auto: `model.input_size`), or `fraction` of each side."""

    name: Literal["CentralCrop"] = "CentralCrop"
    size: Size | Auto = "auto"
    fraction: Annotated[Number, Field(gt=0, le=1)] | None = None


class RandomCrop(Operation):
    """A window of `size` (auto: `model.input_size`) anywhere in the image, after `padding` on every side."""

    name: Literal["RandomCrop"] = "RandomCrop"
    size: Size | Auto = "auto"
    padding: Annotated[int, Field(ge=0, strict=True)] = 0


class RandomResizedCrop(Operation):
    """A window of random area and aspect ratio, resized to `size` (Szegedy et al. 2015)."""

    name: Literal["RandomResizedCrop", "RandomCropThenResize"] = "RandomResizedCrop"
    size: Size | Auto = "auto"
    scale: Range = (0.08, 1.0)
    """Smallest and largest share of the image's area."""
    ratio: Range = (0.75, 1.3333333333333333)
    """Smallest and largest width / height of the window."""


class ResizeThenRandomCrop(Operation):
    """Resize to `resize` (auto: 8/7 of the crop), then a window of `size` anywhere in it."""

    name: Literal["ResizeThenRandomCrop"] = "ResizeThenRandomCrop"
    resize: Size | Auto = "auto"
    size: Size | Auto = "auto"


class RandomHorizontalFlip(Operation):
    """Mirror left and right."""

    name: Literal["RandomHorizontalFlip"] = "RandomHorizontalFlip"
    p: Probability = 0.5


class RandomVerticalFlip(Operation):
    """Mirror top and bottom."""

    name: Literal["RandomVerticalFlip"] = "RandomVerticalFlip"
    p: Probability = 0.5


class RandomRotate(Operation):
    """Rotate about the middle by an angle from -degrees to degrees (or from a range)."""

    name: Literal["RandomRotate"] = "RandomRotate"
    degrees: NonNegative | Range = 10.0


class RandomRotate90(Operation):
    """Rotate by a random choice of the `turns` (quarter turns, counter-clockwise)."""

    name: Literal["RandomRotate90"] = "RandomRotate90"
    turns: tuple[Literal[0, 1, 2, 3], ...] = (0, 1, 2, 3)


class Translate(Operation):
    """Shift by up to `x` of the width and `y` of the height, either way."""

    name: Literal["Translate"] = "Translate"
    x: Probability = 0.1
    y: Probability = 0.1


class Zoom(Operation):
    """Zoom about the middle by a factor from `scale`; above 1 enlarges. The image keeps its size."""

    name: Literal["Zoom"] = "Zoom"
    scale: tuple[Positive, Positive] = (0.9, 1.1)


class Shear(Operation):
    """Shear about the middle by up to `x` and `y` degrees, either way."""

    name: Literal["Shear"] = "Shear"
    x: Annotated[Number, Field(ge=0, lt=90)] = 10.0
    y: Annotated[Number, Field(ge=0, lt=90)] = 0.0


class RandomPerspective(Operation):
    """Move each corner inwards by up to `distortion` of half the side (the four-point warp of torchvision)."""

    name: Literal["RandomPerspective"] = "RandomPerspective"
    distortion: Probability = 0.5
    p: Probability = 0.5


class ColorJitter(Operation):
    """Change brightness, contrast, saturation and hue, in this order.

    A number b draws the factor from [max(0, 1 - b), 1 + b] (hue: the shift from [-b, b] turns); a range is the
    range itself. Contrast pivots on the image's mean grey, saturation blends with the grey image
    (ITU-R BT.601 weights), hue turns in HSV.
    """

    name: Literal["ColorJitter"] = "ColorJitter"
    brightness: NonNegative | Range = 0.0
    contrast: NonNegative | Range = 0.0
    saturation: NonNegative | Range = 0.0
    hue: Annotated[Number, Field(ge=0, le=0.5)] | Range = 0.0


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


AnyOperation = Annotated[
    Resize
    | CentralCrop
    | RandomCrop
    | RandomResizedCrop
    | ResizeThenRandomCrop
    | RandomHorizontalFlip
    | RandomVerticalFlip
    | RandomRotate
    | RandomRotate90
    | Translate
    | Zoom
    | Shear
    | RandomPerspective
    | ColorJitter
    | Normalize
    | Rescale,
    Field(discriminator="name"),
]
"""A name, or a mapping of `name` and the operation's fields."""


class AugmentConfig(Section):
    """Ordered lists of operations for training and evaluation."""

    train: tuple[AnyOperation, ...] | Auto = "auto"
    """auto: RandomResizedCrop, RandomHorizontalFlip, Normalize for photos; milder for small images."""
    eval: tuple[AnyOperation, ...] | Auto = "auto"
    """What the model sees in validation, evaluation, prediction and export: Resize, CentralCrop, Normalize,
    Rescale. auto: Resize (shortest) to input_size / crop fraction, CentralCrop, Normalize."""
    backend: Literal["opencv", "torch", "auto"] = "auto"
    """opencv: threads on the CPU; torch: `grid_sample` on the device. auto: opencv on a CPU."""
    border: Literal["constant", "reflect", "replicate"] = "constant"
    """What lies outside the image."""
    fill: Annotated[int, Field(ge=0, le=255, strict=True)] = 0
    """Value of the constant border."""
    interpolation: Interpolation = "bilinear"

    @model_validator(mode="after")
    def _eval_has_no_chance(self) -> "AugmentConfig":
        fixed = ("Resize", "CentralCrop", "Normalize", "Rescale")
        wrong = [] if self.eval == "auto" else [op.name for op in self.eval if op.name not in fixed or op.p != 1.0]
        if wrong:
            raise ValueError(f"eval takes {', '.join(fixed)} with p=1 only, not {', '.join(wrong)}")
        return self
