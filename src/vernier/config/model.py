"""`model`: the architecture, its weights and what of it is trained."""

from typing import Annotated, Literal

from pydantic import Field

from vernier.config.algebra import AlgebraConfig
from vernier.config.base import Section
from vernier.config.head import HeadLayer
from vernier.config.types import Anything, Auto, Count, Flag, Number, Size, Text


class WarmStartConfig(Section):
    """Which tensors of `model.weights` are taken, and under which names."""

    include: tuple[Text, ...] = ()
    """Regular expressions; only tensors whose whole name (after `rename`) matches one are taken. None: all."""
    exclude: tuple[Text, ...] = ()
    """Regular expressions; tensors whose whole name (after `rename`) matches one are left out."""
    rename: dict[Text, Text] = Field(default_factory=dict)
    """From regular expressions to replacements, applied to the names in the file in this order:
    `{"^module\\.": ""}`."""
    partial: Flag = False
    """Take what fits and leave the rest as it is, instead of refusing weights that do not fit."""


StemSource = Literal["red", "green", "blue", "mean", "sum", "zero", "random"]


class ModelConfig(Section):
    """The architecture, its weights and what of it is trained."""

    name: Text = "resnet18"
    """A name in the zoo, timm or torchvision (`vernier models` lists them), `package.module:callable`, or a
    bundle or run directory, whose architecture and weights are taken. Spellings of other tools, such as
    `ResNet50NCHW`, are understood."""
    version: Text | None = None
    """With a `name` of another tool: `{name: mobilenet, version: v2}`. The resolved config holds the name here."""
    alpha: Annotated[Number, Field(gt=0)] | None = None
    """Width multiplier of the MobileNet families. The resolved config holds it in `name` or `kwargs`."""
    provider: Literal["zoo", "timm", "torchvision", "python", "auto"] = "auto"
    """auto: the zoo, else timm, else torchvision, the first that knows the name; python for your own
    `package.module:callable`."""
    kwargs: dict[str, Anything] = Field(default_factory=dict)
    """Arguments of the architecture, such as `drop_rate: 0.2`."""
    depth: Count | None = None
    """Layers of the network, for families that come in several depths (ResNets, MobileNetV2)."""
    width_divisor: Annotated[Number, Field(ge=1)] = 1.0
    """Divides the channels of every layer but the classifier's outputs: max(1, floor(channels / width_divisor))."""
    algebra: AlgebraConfig | None = None
    """Complex, quaternion or other Clifford numbers in place of real ones: `model.algebra=quaternion`."""
    pretrained: Flag = False
    """Start from the provider's published ImageNet weights."""
    weights: Text | None = None
    """Start from a local `.safetensors` file, a `.pth` state dict, a bundle or a run directory."""
    warm_start: WarmStartConfig = WarmStartConfig()
    stem_init: tuple[StemSource, ...] | None = None
    """With loaded weights and other channels than theirs: where the weights of each channel come from, such as
    `[red, green, blue, mean]`; sum is that of the three. Not given: red, green and blue are kept and further
    channels get their mean; one channel gets their sum; two channels get red and green, times 3/2."""
    head: tuple[HeadLayer, ...] = ()
    """Layers before the classifier: `[batchnorm, dropout: 0.3, linear: 256, relu]`."""
    head_name: Text | None = None
    """Dotted name of the classifier layer of your own network. Not given: the last linear layer or convolution."""
    input_size: Size | Auto = "auto"
    """Height and width. auto: the pretrained model's own, the images' own for small built-in sources,
    else 224."""
    dropout: Annotated[Number, Field(ge=0, lt=1)] | None = None
    """Probability of the network's own dropout before the classifier; the architecture's when not given."""
    frozen: Literal["backbone"] | tuple[Text, ...] | None = None
    """What does not train. `backbone`: all but the head. Indices of layers with parameters, as Python slices
    (`vernier models show NAME` lists them): `(0:-1)`, `(8, 110:121, -1)`. Regular expressions that match the whole
    dotted name of a layer, whose parts are frozen with it: `layer[12]`. Frozen modules run in eval mode."""
