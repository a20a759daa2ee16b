"""Operations that move pixels: resizes, crops, flips, warps. Neighbours merge into one warp."""

from typing import Annotated, Literal

from pydantic import Field

from vernier.config.operations.base import AreaRange, NonNegative, Operation, PositiveRange, Range
from vernier.config.types import Auto, Number, Probability, Size


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
    scale: AreaRange = (0.08, 1.0)
    """Smallest and largest share of the image's area."""
    ratio: PositiveRange = (0.75, 1.3333333333333333)
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
    turns: Annotated[tuple[Literal[0, 1, 2, 3], ...], Field(min_length=1)] = (0, 1, 2, 3)


class Translate(Operation):
    """Shift by up to `x` of the width and `y` of the height, either way."""

    name: Literal["Translate"] = "Translate"
    x: Probability = 0.1
    y: Probability = 0.1


class Zoom(Operation):
    """Zoom about the middle by a factor from `scale`; above 1 enlarges. The image keeps its size."""

    name: Literal["Zoom"] = "Zoom"
    scale: PositiveRange = (0.9, 1.1)


class Shear(Operation):
    """Shear about the middle by up to `x` and `y` degrees, either way."""

    name: Literal["Shear"] = "Shear"
    x: Annotated[Number, Field(ge=0, lt=90)] = 10.0
    y: Annotated[Number, Field(ge=0, lt=90)] = 0.0


class RandomPerspective(Operation):
    """Move each corner inwards by up to `distortion` of half the side (torchvision's four-point warp)."""

    name: Literal["RandomPerspective"] = "RandomPerspective"
    distortion: Probability = 0.5
    p: Probability = 0.5


AnyGeometry = (
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
)
