"""`model`: the architecture, its weights and what of it is trained."""

from typing import Annotated, Literal

from pydantic import Field

from vernier.config.base import Section
from vernier.config.types import Anything, Auto, Flag, Number, Size, Text


class ModelConfig(Section):
    """The architecture, its weights and what of it is trained."""

    name: Text = "resnet18"
    """A name in the zoo, timm or torchvision; `vernier models` lists them."""
    provider: Literal["zoo", "timm", "torchvision", "python", "auto"] = "auto"
    """auto: the zoo, else timm, else torchvision, the first that knows the name; python for your own
    `package.module:callable`."""
    kwargs: dict[str, Anything] = Field(default_factory=dict)
    """Arguments of the architecture, such as `drop_rate: 0.2`."""
    pretrained: Flag = False
    """Start from the provider's published ImageNet weights."""
    weights: Text | None = None
    """Start from a local `.safetensors` file, a bundle or a run directory."""
    input_size: Size | Auto = "auto"
    """Height and width. auto: the pretrained model's own, the images' own for small built-in sources,
    else 224."""
    dropout: Annotated[Number, Field(ge=0, lt=1)] | None = None
    """Dropout before the head; the architecture's own when not given."""
    frozen: Literal["backbone"] | tuple[Text, ...] | None = None
    """`backbone` trains the head alone; a list of patterns (`layer1.*`) freezes the parameters they match.
    Frozen modules run in eval mode."""
