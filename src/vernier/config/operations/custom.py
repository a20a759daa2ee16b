"""Operations of one's own, and torchvision's."""

from typing import Literal

from pydantic import Field

from vernier.config.operations.base import Operation
from vernier.config.types import Anything, Text


class CustomOperation(Operation):
    """A function of your own: `{name: package.module:function, strength: 0.3}` is short for it.

    It is called as `function(image, generator, **arguments)`. The image is uint8 (H, W, C) and must not be written to;
    the generator is NumPy's and depends on the seed, the epoch and the sample alone, so take all chance from it. A
    parameter `epoch` gets the epoch, from 0. The result has the image's shape, uint8, or float32 from 0 to 255.
    """

    name: Literal["custom"] = "custom"
    callable: Text
    """`package.module:function`."""
    arguments: dict[str, Anything] = Field(default_factory=dict)
    """Further arguments of the function."""


class TorchvisionOperation(Operation):
    """A transform of torchvision: `{name: torchvision.transforms.v2.ElasticTransform, alpha: 30}` is short for it.

    Slower than Vernier's own operations: it runs on one image at a time, and merges with nothing. The image keeps its
    size. Its chance depends on the seed, the epoch and the sample alone, as everywhere. A `p` in the short form takes
    the place of the transform's own, which is 1 then.
    """

    name: Literal["torchvision"] = "torchvision"
    transform: Text
    """Name of a class in `torchvision.transforms.v2`."""
    arguments: dict[str, Anything] = Field(default_factory=dict)
    """Arguments of the class."""


AnyCustom = CustomOperation | TorchvisionOperation
