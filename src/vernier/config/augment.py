"""`augment`: ordered lists of operations for training and evaluation, one class an operation."""

from itertools import accumulate
from math import floor
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from vernier.config.base import FieldConflict, Section
from vernier.config.duration import Duration
from vernier.config.types import Auto, DurationField, Number, Probability, Size, Words, in_order

Interpolation = Literal["bilinear", "bicubic", "nearest"]
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


class Operation(Section):
    """One step of an augmentation list. A sample gets it with probability `p` (alias `change_rate`)."""

    p: Probability = 1.0


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


class MixConfig(Section):
    """Mix pairs of training images and their labels, with one draw for each batch.

    The loss of a mixed image is share * loss(its label) + (1 - share) * loss(its partner's); the accuracy on training
    images counts its own label alone.
    """

    mixup: NonNegative = 0.0
    """alpha of mixup's Beta(alpha, alpha) (Zhang et al. 2018); 0 goes without."""
    cutmix: NonNegative = 0.0
    """alpha of CutMix's Beta(alpha, alpha) (Yun et al. 2019); 0 goes without."""
    p: Annotated[Number, Field(gt=0, le=1)] = 1.0
    """How probable it is that a batch is mixed."""
    cutmix_share: Annotated[Number, Field(gt=0, lt=1)] = 0.5
    """With both: share of the mixed batches that CutMix gets."""
    off_for_last: DurationField = Duration(0, "ep")
    """The end of the training sees images as they are: `5ep` or `10%`."""


class ProgressiveConfig(Section):
    """Train on small images first (Tan & Le 2021). Evaluation always sees full ones.

    Every image is augmented as always and then resized, which is still one warp.
    """

    sizes: tuple[Size, ...]
    """Sizes one after the other, from small to large; the last one is `model.input_size`."""
    portions: tuple[Positive, ...] | None = None
    """Shares of the epochs, one for each size, in any unit; equal ones when not given."""

    def ends(self, epochs: int) -> tuple[int, ...]:
        """For each size the epoch, counted from 0, from which on it is not used any more; the last is `epochs`."""
        portions = self.portions or (1.0,) * len(self.sizes)
        return tuple(floor(epochs * part / sum(portions) + 0.5) for part in accumulate(portions))


class AugmentConfig(Section):
    """Ordered lists of operations for training and evaluation."""

    train: tuple[AnyOperation, ...] | Auto = "auto"
    """auto: RandomResizedCrop, RandomHorizontalFlip, Normalize for photos; milder for small images."""
    eval: tuple[AnyOperation, ...] | Auto = "auto"
    """What the model sees in validation, evaluation, prediction and export: Resize, CentralCrop, Normalize,
    Rescale. auto: Resize (shortest) to input_size / crop fraction, CentralCrop, Normalize."""
    mix: MixConfig | None = None
    progressive: ProgressiveConfig | None = None
    backend: Literal["opencv", "torch", "auto"] = "auto"
    """opencv: threads on the CPU; torch: `grid_sample` on the device. auto: opencv on a CPU."""
    border: Literal["constant", "reflect", "replicate"] = "constant"
    """What lies outside the image."""
    fill: Annotated[int, Field(ge=0, le=255, strict=True)] = 0
    """Value of the constant border."""
    interpolation: Interpolation = "bilinear"
    """Of training's warps."""
    eval_interpolation: Interpolation | Auto = "auto"
    """Of the resizes of `eval`. auto: the published weights' own with `model.pretrained`, else `interpolation`."""

    @model_validator(mode="after")
    def _eval_has_no_chance(self) -> "AugmentConfig":
        fixed = ("Resize", "CentralCrop", "Normalize", "Rescale")
        wrong = [] if self.eval == "auto" else [op.name for op in self.eval if op.name not in fixed or op.p != 1.0]
        if wrong:
            raise FieldConflict(("eval",), f"takes only {', '.join(fixed)}, each with p=1; got {', '.join(wrong)}")
        return self
