"""Operations that cover parts of an image."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from vernier.config.operations.base import AreaRange, Operation, PositiveRange
from vernier.config.types import Count, Number, Probability, Words, in_order

Byte = Annotated[int, Field(ge=0, le=255, strict=True)]
Colour = Annotated[tuple[Byte, ...], Field(min_length=1)]
Filling = Literal["uniform", "random", "mosaic"]
Times = Annotated[int, Field(ge=0, strict=True)]
TimesRange = Annotated[
    tuple[Times, Times],
    AfterValidator(in_order),
    Words("a range of whole numbers from 0 on, smaller number first"),
]
ShareRange = Annotated[
    tuple[Annotated[Number, Field(ge=0, le=1)], Annotated[Number, Field(ge=0, le=1)]],
    AfterValidator(in_order),
    Words("a range of shares from 0 to 1, smaller number first"),
]


class RectangleErasing(Operation):
    """Cover some rectangles. Each has its middle anywhere in the image, and covers those before it.

    Every image draws its own. Where red, green and blue are alike everywhere, so are they in the rectangles.
    """

    name: Literal["RectangleErasing"] = "RectangleErasing"
    count: Times | TimesRange = (0, 3)
    """How many, or a range to draw from."""
    area: ShareRange = (0.05, 0.2)
    """Smallest and largest share of the image's area, of one rectangle before the border cuts it."""
    ratio: PositiveRange = (0.2, 1.5)
    """Smallest and largest width / height."""
    method: Filling = "random"
    """uniform: `color`. random: a colour for each rectangle. mosaic: a colour for each pixel."""
    color: Colour | None = None
    """For `uniform`: a value from 0 to 255 for each channel, or one for all; null: black."""


class GridErasing(Operation):
    """Cover some cells of a grid, each by chance."""

    name: Literal["GridErasing"] = "GridErasing"
    cells_y: Count = 5
    cells_x: Count = 5
    """A cell is ceil(side / cells) pixels wide; the last ones may be smaller."""
    cell_probability: Probability = 0.2
    """How probable it is for each cell to be covered."""
    method: Filling = "uniform"
    """uniform: `color`. random: a colour for each cell. mosaic: a colour for each pixel."""
    color: Colour | None = None
    """For `uniform`: a value from 0 to 255 for each channel, or one for all; null: black."""


class RandomErasing(Operation):
    """Cover one rectangle that lies inside the image (Zhong et al. 2017), as torchvision's operation of this name."""

    name: Literal["RandomErasing"] = "RandomErasing"
    p: Probability = 0.5
    scale: AreaRange = (0.02, 0.33)
    """Smallest and largest share of the image's area."""
    ratio: PositiveRange = (0.3, 3.3)
    """Smallest and largest height / width; its logarithm is uniform."""
    value: Byte | Colour | Literal["random"] = 0
    """From 0 to 255, for all channels or one each. random: a colour for each pixel."""


class Cutout(Operation):
    """Cover a square (DeVries & Taylor 2017). Its middle is any pixel, so it may lie partly outside."""

    name: Literal["Cutout"] = "Cutout"
    length: Count = 16
    """Side in pixels; it may be longer than the image's."""
    fill: Byte = 0


AnyErasing = RectangleErasing | GridErasing | RandomErasing | Cutout
