"""Operations of one's own, and torchvision's."""

from typing import Literal

from vernier.config.operations.base import Operation
from vernier.config.types import Text


class CustomOperation(Operation):
    """A function of one's own."""

    name: Literal["custom"] = "custom"
    callable: Text
    """`package.module:function`."""


AnyCustom = CustomOperation
