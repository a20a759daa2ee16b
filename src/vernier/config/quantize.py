"""`quantize`: how a network becomes one of 8-bit integers."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from vernier.config.base import Section
from vernier.config.duration import Duration
from vernier.config.scalars import plain_value
from vernier.config.types import Count, DurationField, Flag, Number, Text, Words

Granularity = Literal["per_channel", "per_tensor"]
CalibrationMethod = Literal["minmax", "moving_average", "entropy", "percentile"]
TensorType = Literal["float", "uint8", "int8"]
ActivationType = Literal["uint8", "int8"]


class FinetuneConfig(Section):
    """Training on with the rounding of 8 bits in the network, until it answers as it did in float."""

    epochs: Count = 1
    """Passes over the training images."""
    lr: Annotated[Number, Field(gt=0)] = 3e-5
    """Learning rate of Adam, as a share of each output channel's largest weight; it rises for a tenth of the steps and
    falls to 0 along a cosine."""
    batch_size: Count = 32
    """Images a step."""


def read_calibration(value: object) -> object:
    """An int from 1, a float above 0 and up to 1, or a text.

    Raises:
        ValueError: Anything else.
    """
    plain = plain_value(value)
    right = {int: lambda: plain >= 1, float: lambda: 0 < plain <= 1, str: lambda: plain != ""}
    if type(plain) not in right or not right[type(plain)]():
        raise ValueError("a number of images from 1, a share up to 1, a directory, or random")
    return plain


Calibration = Annotated[
    Any,
    BeforeValidator(read_calibration),
    Words("a number of images, a share of them above 0 and at most 1, a directory of images, or random"),
    WithJsonSchema({"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string"}]}),
]
"""Which images calibrate: an int, a float or a str."""


class QuantizeConfig(Section):
    """How a network becomes one of 8-bit integers."""

    mode: Literal["static", "auto"] = "static"
    """static takes the settings below; auto searches granularity, calibration and layers left in float for the
    smallest model that loses at most `max_drop`, within `budget`."""
    granularity: Granularity = "per_channel"
    """A scale for each output channel of a weight, or one for the whole."""
    calibration: Calibration = 300
    """Training images whose activations set the ranges: a number of them, a share (0.3), a directory, or `random` for
    noise, which says so."""
    method: CalibrationMethod = "minmax"
    """How ranges come from activations: minmax takes all their values, moving_average the mean of each image's smallest
    and largest one, entropy what loses the least information (TensorRT), percentile all but the outermost values."""
    percentile: Annotated[Number, Field(gt=50, le=100)] = 99.99
    """Share in % of the values that a range holds, with method percentile."""
    activations: ActivationType = "uint8"
    """Type of the activations; int8 ones fall back to float for some layers in onnxruntime on CPUs."""
    first_layer_float: Flag = False
    """Leave the first convolution in float."""
    exclude: tuple[Text, ...] = ()
    """Layers left in float: regular expressions for their whole names."""
    reduce_range: Flag | None = None
    """Weights of 7 bits; null: only on CPUs whose 8-bit instructions can overflow (no VNNI)."""
    equalize: Flag | None = None
    """First silence dead channels and equalise the weights of neighbouring layers (Nagel et al. 2019); ReLU6 becomes
    ReLU only where that changes little. null: with per_tensor."""
    bias_correction: Flag | None = None
    """Move biases by the mean error that quantization makes on the calibration images; null: with per_tensor."""
    finetune: FinetuneConfig | None = None
    """Train on with the rounding in the network first."""
    input: TensorType = "float"
    """Type of the input of a raw network; models with preprocessing take uint8 images anyway."""
    output: TensorType = "float"
    """Type of the logits of a raw network."""
    max_drop: Annotated[Number, Field(ge=0)] | None = None
    """Points of accuracy (%) that int8 may lose to float; more ends the command with status 1."""
    budget: DurationField = Duration(600, "s")
    """Time that `mode=auto` may search."""
