"""Operations that move pixels: resizes, crops, flips, warps. Neighbours merge into one warp."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from vernier.config.operations.base import AreaRange, NonNegative, Operation, PositiveRange, Range, ResizeKernel
from vernier.config.types import Auto, Flag, Number, Probability, Size, Words, in_order

BorderKind = Literal["constant", "reflect", "replicate", "edge", "wrap"]
"""What lies outside an image a b c d. reflect: d c b a | a b c d. replicate, or edge: a a a a | a b c d. wrap:
a b c d | a b c d."""
Fill = Annotated[int, Field(ge=0, le=255, strict=True)]
Share = Annotated[Number, Field(ge=-1, le=1)]
ShareRange = Annotated[
    tuple[Share, Share],
    AfterValidator(in_order),
    Words("a range of shares from -1 to 1, smaller number first"),
]
PlaceRange = Annotated[
    tuple[Probability, Probability],
    AfterValidator(in_order),
    Words("a range of shares from 0 to 1, smaller number first"),
]
Degrees = Annotated[Number, Field(gt=-90, lt=90)]
ShearRange = Annotated[
    tuple[Degrees, Degrees],
    AfterValidator(in_order),
    Words("a range of degrees between -90 and 90, smaller number first"),
]
Pixels = Annotated[int, Field(ge=0, strict=True)]


class Bordered(Operation):
    """An operation that may show what lies outside the image."""

    border: BorderKind | None = None
    """What lies outside the image. By default `augment.border`."""
    fill: Fill | Annotated[tuple[Fill, ...], Field(min_length=1)] | None = None
    """Value of the constant border. Of several, each image draws one (for all operations that list the same). By
    default `augment.fill`."""


class Resize(Bordered):
    """Resize to `size` (auto: `model.input_size`).

    fit: exactly that size, the aspect ratio changes. shortest: the shorter side takes it, the aspect ratio
    stays. crop: the same, and the middle of what is longer. longest: the longer side takes it, the aspect ratio
    stays. letterbox: the same, and the rest is filled.
    """

    name: Literal["Resize"] = "Resize"
    size: Size | Auto = "auto"
    mode: Literal["fit", "shortest", "crop", "longest", "letterbox"] = "fit"
    interpolation: ResizeKernel | None = None
    """A kernel of its own. In training the resize is then a pass of its own and not part of a warp."""
    antialias: Flag = True
    """Whether the kernel widens when the image shrinks; false is a pass of its own too."""


class RandomResize(Operation):
    """Resize to `size` (auto: `model.input_size`) times a factor from `scale`. Modes are those of Resize."""

    name: Literal["RandomResize"] = "RandomResize"
    size: Size | Auto = "auto"
    scale: PositiveRange = (1.0, 2.0)
    mode: Literal["fit", "shortest", "longest"] = "shortest"


class Pad(Bordered):
    """Pixels around the image: on every side, [above and below, left and right], or [top, bottom, left, right]."""

    name: Literal["Pad"] = "Pad"
    padding: Pixels | tuple[Pixels, Pixels] | tuple[Pixels, Pixels, Pixels, Pixels] = 1


class CentralCrop(Bordered):
    """The middle of the image: `size` in pixels (auto: `model.input_size`), or `fraction` of each side."""

    name: Literal["CentralCrop"] = "CentralCrop"
    size: Size | Auto = "auto"
    fraction: Annotated[Number, Field(gt=0, le=1)] | None = None


class CentralCropThenResize(Operation):
    """The largest window in the middle that has the aspect ratio of `size`, times `fraction`, resized to `size`.

    `size` auto: `model.input_size`.
    """

    name: Literal["CentralCropThenResize"] = "CentralCropThenResize"
    size: Size | Auto = "auto"
    fraction: Annotated[Number, Field(gt=0, le=1)] = 0.875


class RandomCrop(Bordered):
    """A window of `size` (auto: `model.input_size`) anywhere in the image, after `padding` on every side."""

    name: Literal["RandomCrop"] = "RandomCrop"
    size: Size | Auto = "auto"
    padding: Pixels = 0


class RandomResizedCrop(Operation):
    """A window of random area and aspect ratio, resized to `size` (Szegedy et al. 2015)."""

    name: Literal["RandomResizedCrop", "RandomCropThenResize"] = "RandomResizedCrop"
    size: Size | Auto = "auto"
    scale: AreaRange = (0.08, 1.0)
    """Smallest and largest share of the image's area."""
    ratio: PositiveRange = (0.75, 1.3333333333333333)
    """Smallest and largest width / height of the window."""
    interpolation: ResizeKernel | None = None
    """See `Resize.interpolation`; the kernel sees the window alone."""
    antialias: Flag = True
    """See `Resize.antialias`."""


class ResizeThenRandomCrop(Operation):
    """Resize to `resize` (auto: 8/7 of the crop), then a window of `size` anywhere in it."""

    name: Literal["ResizeThenRandomCrop"] = "ResizeThenRandomCrop"
    resize: Size | Auto = "auto"
    size: Size | Auto = "auto"
    interpolation: ResizeKernel | None = None
    """See `Resize.interpolation`."""
    antialias: Flag = True
    """See `Resize.antialias`."""


class RandomWindow(Operation):
    """A window of random place and shape, cut off at the edges and resized to the size of the image."""

    name: Literal["RandomWindow"] = "RandomWindow"
    centre_x: PlaceRange = (0.25, 0.75)
    """Where the middle of the window is, as a share of the image's width."""
    centre_y: PlaceRange = (0.25, 0.75)
    width: AreaRange = (0.6, 0.9)
    """Of the window, as a share of the image's."""
    height: AreaRange = (0.6, 0.9)
    p: Probability = 0.9


class RandomFlip(Operation):
    """Mirror left and right, top and bottom, or one of these or both, each as likely."""

    name: Literal["RandomFlip"] = "RandomFlip"
    mode: Literal["horizontal", "vertical", "horizontal_and_vertical"] = "horizontal"
    p: Probability = 0.5


class RandomHorizontalFlip(Operation):
    """Mirror left and right."""

    name: Literal["RandomHorizontalFlip"] = "RandomHorizontalFlip"
    p: Probability = 0.5


class RandomVerticalFlip(Operation):
    """Mirror top and bottom."""

    name: Literal["RandomVerticalFlip"] = "RandomVerticalFlip"
    p: Probability = 0.5


class RandomRotate(Bordered):
    """Rotate about the middle by an angle from -degrees to degrees (or from a range)."""

    name: Literal["RandomRotate"] = "RandomRotate"
    degrees: NonNegative | Range = 10.0


class RandomRotate90(Operation):
    """Rotate by a random choice of the `turns` (quarter turns, counter-clockwise)."""

    name: Literal["RandomRotate90"] = "RandomRotate90"
    turns: Annotated[tuple[Literal[0, 1, 2, 3], ...], Field(min_length=1)] = (0, 1, 2, 3)


class Translate(Bordered):
    """Shift by up to `x` of the width and `y` of the height, either way, or by a share from a range.

    Positive shares shift to the right and downwards.
    """

    name: Literal["Translate"] = "Translate"
    x: Probability | ShareRange = 0.1
    y: Probability | ShareRange = 0.1


class Zoom(Bordered):
    """Zoom about the middle by a factor from `scale`; above 1 enlarges. The image keeps its size."""

    name: Literal["Zoom"] = "Zoom"
    scale: PositiveRange = (0.9, 1.1)
    scale_y: PositiveRange | None = None
    """Factors of the height; `scale` is the width's then. By default height and width have the same."""


class Shear(Bordered):
    """Shear about the middle by up to `x` and `y` degrees, either way, or by an angle from a range."""

    name: Literal["Shear"] = "Shear"
    x: Annotated[Number, Field(ge=0, lt=90)] | ShearRange = 10.0
    y: Annotated[Number, Field(ge=0, lt=90)] | ShearRange = 0.0


class RandomPerspective(Bordered):
    """Move each corner inwards by up to `distortion` of half the side (torchvision's four-point warp)."""

    name: Literal["RandomPerspective"] = "RandomPerspective"
    distortion: Probability = 0.5
    p: Probability = 0.5


AnyGeometry = (
    Resize
    | RandomResize
    | Pad
    | CentralCrop
    | CentralCropThenResize
    | RandomCrop
    | RandomResizedCrop
    | ResizeThenRandomCrop
    | RandomWindow
    | RandomFlip
    | RandomHorizontalFlip
    | RandomVerticalFlip
    | RandomRotate
    | RandomRotate90
    | Translate
    | Zoom
    | Shear
    | RandomPerspective
)
