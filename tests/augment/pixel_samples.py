"""Operations on pixels, done to one image with numbers of one's choice."""

from typing import Any

import numpy as np

from vernier.augment.buffers import Scratch
from vernier.augment.pixel.operation import Sample
from vernier.augment.pixel.table import PIXEL


def sample(*u: float, key: int = 0) -> Sample:
    """A sample that drew these numbers."""
    return Sample(np.array(u, np.float64), key, 0, Scratch())


def changed(operation: Any, image: np.ndarray, *u: float, key: int = 0) -> np.ndarray:
    """The image after an operation; numbers that are not given are 0.5."""
    how = PIXEL[type(operation)]
    numbers = (*u, *(0.5,) * (how.draws_of(operation) - len(u)))
    return how.effect(operation, image, sample(*numbers, key=key)).copy()
