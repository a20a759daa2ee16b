"""Operations that cover parts of an image."""

from typing import Literal

from vernier.config.operations.base import Operation
from vernier.config.types import Count


class Cutout(Operation):
    """Cover a square of `length` pixels with black (DeVries & Taylor 2017); its middle is anywhere in the image."""

    name: Literal["Cutout"] = "Cutout"
    length: Count = 16


AnyErasing = Cutout
