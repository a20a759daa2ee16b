"""`augment`: ordered lists of operations for training and evaluation, one class an operation."""

from itertools import accumulate
from math import floor
from typing import Annotated, Literal

from pydantic import Field, model_validator

from vernier.config.base import FieldConflict, Section
from vernier.config.duration import Duration
from vernier.config.operations.base import Interpolation, NonNegative, Operation, Positive, ResizeKernel
from vernier.config.operations.colour import AnyColour, ColorJitter, Normalize, Rescale
from vernier.config.operations.custom import AnyCustom
from vernier.config.operations.erasing import AnyErasing
from vernier.config.operations.geometry import (
    AnyGeometry,
    BorderKind,
    CentralCrop,
    CentralCropThenResize,
    Fill,
    Pad,
    RandomCrop,
    RandomFlip,
    RandomHorizontalFlip,
    RandomPerspective,
    RandomResize,
    RandomResizedCrop,
    RandomRotate,
    RandomRotate90,
    RandomVerticalFlip,
    RandomWindow,
    Resize,
    ResizeThenRandomCrop,
    Shear,
    Translate,
    Zoom,
)
from vernier.config.operations.policies import AnyPolicy
from vernier.config.operations.tone import AnyTone
from vernier.config.types import Auto, DurationField, Number, Size

__all__ = [
    "AnyOperation",
    "AugmentConfig",
    "CentralCrop",
    "CentralCropThenResize",
    "ColorJitter",
    "Interpolation",
    "MixConfig",
    "Normalize",
    "Operation",
    "Pad",
    "ProgressiveConfig",
    "RandomCrop",
    "RandomFlip",
    "RandomHorizontalFlip",
    "RandomPerspective",
    "RandomResize",
    "RandomResizedCrop",
    "RandomRotate",
    "RandomRotate90",
    "RandomVerticalFlip",
    "RandomWindow",
    "Rescale",
    "Resize",
    "ResizeThenRandomCrop",
    "Shear",
    "Translate",
    "Zoom",
]

AnyOperation = Annotated[
    AnyGeometry | AnyColour | AnyTone | AnyErasing | AnyPolicy | AnyCustom,
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
    border: BorderKind = "constant"
    """What lies outside an image a b c d. constant: `fill`. reflect: d c b a | a b c d. replicate, or edge: a a a a |
    a b c d. wrap: a b c d | a b c d. Operations may have their own."""
    fill: Fill = 0
    """Value of the constant border. In evaluation all borders are constant."""
    interpolation: Interpolation = "bilinear"
    """Of training's warps."""
    eval_interpolation: ResizeKernel | Auto = "auto"
    """Of the resizes of `eval` that name none of their own. auto: the published weights' with `model.pretrained`, else
    `interpolation`."""

    @model_validator(mode="after")
    def _eval_has_no_chance(self) -> "AugmentConfig":
        fixed = ("Resize", "CentralCrop", "Normalize", "Rescale")
        wrong = (
            [] if self.eval == "auto" else [op.name for op in self.eval if op.name not in fixed or not op.is_certain]
        )
        if wrong:
            raise FieldConflict(("eval",), f"takes only {', '.join(fixed)}, each with p=1; got {', '.join(wrong)}")
        return self
