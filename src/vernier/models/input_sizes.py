"""The image sizes that EfficientNets were designed for, for networks that train from scratch."""

import re
from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True)
class InputSize:
    """Sides in pixels: of the square crop that the network takes, and of the square that it is cut from."""

    crop: int
    resize: int

    @property
    def crop_fraction(self) -> float:
        """Side of the crop over the side that the image is resized to."""
        return self.crop / self.resize


EFFICIENTNET: tuple[InputSize, ...] = (
    InputSize(224, 256),
    InputSize(240, 256),
    InputSize(288, 288),
    InputSize(300, 320),
    InputSize(380, 384),
    InputSize(456, 489),
    InputSize(528, 561),
    InputSize(600, 633),
)
"""B0 to B7."""

_NAME = re.compile(r"(?:tf_)?efficientnet_b([0-7])")


def designed_size(name: str) -> InputSize | None:
    """The size of an EfficientNet B0 to B7 named without the tag of published weights; None for other networks."""
    match = _NAME.fullmatch(name)
    return EFFICIENTNET[int(match[1])] if match else None
