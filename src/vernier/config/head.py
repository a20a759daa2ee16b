"""`model.head`: layers between the backbone and the classifier, one class a layer."""

from typing import Annotated, Literal

from pydantic import Field

from vernier.config.base import Section
from vernier.config.types import Count, Number


class BatchNormLayer(Section):
    """BatchNorm over the features."""

    name: Literal["batchnorm"] = "batchnorm"


class LayerNormLayer(Section):
    """LayerNorm over the features of each image."""

    name: Literal["layernorm"] = "layernorm"


class DropoutLayer(Section):
    """Dropout with probability `p`; `{dropout: 0.3}` is short for it."""

    name: Literal["dropout"] = "dropout"
    p: Annotated[Number, Field(ge=0, lt=1)] = 0.5


class LinearLayer(Section):
    """A linear layer to `features` outputs; `{linear: 256}` is short for it."""

    name: Literal["linear"] = "linear"
    features: Count


class ReLULayer(Section):
    """max(x, 0)."""

    name: Literal["relu"] = "relu"


class GELULayer(Section):
    """x times the normal distribution function of x (Hendrycks & Gimpel 2016)."""

    name: Literal["gelu"] = "gelu"


class SiLULayer(Section):
    """x times the logistic function of x, also called swish."""

    name: Literal["silu"] = "silu"


HeadLayer = Annotated[
    BatchNormLayer | LayerNormLayer | DropoutLayer | LinearLayer | ReLULayer | GELULayer | SiLULayer,
    Field(discriminator="name"),
]
"""A name, or a mapping of `name` and the layer's field."""
