"""What an operation on pixels is: a function of one image and of what was drawn for it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from vernier.augment.buffers import Scratch
from vernier.augment.geometry import Floats


@final
@dataclass(frozen=True)
class Sample:
    """What was drawn for one image.

    Attributes:
        u: Uniform numbers in [0, 1), float64 (draws,).
        key: 64 bits, for operations that need as many numbers as pixels: `generator` makes them.
        epoch: From 0.
        scratch: Memory that lasts until the same operation takes it again in the same thread.
    """

    u: Floats
    key: int
    epoch: int
    scratch: Scratch

    def generator(self) -> np.random.Generator:
        """A generator that gives the same numbers for the same key."""
        return np.random.Generator(np.random.Philox(key=self.key))


Effect = Callable[[Any, np.ndarray, Sample], np.ndarray]
"""(operation, image, sample) -> image. Images are (H, W, C), uint8, or float32 that may lie outside 0 to 255 (what
needs 8 bits clips and rounds first). The image given must not be written to; the result may be of either type, and may
be the image itself."""


@final
@dataclass(frozen=True)
class PixelOperation:
    """How an operation is done.

    Attributes:
        draws: Uniform numbers that a sample needs, besides the one that decides whether it gets the operation; or how
            many that are for an operation. They are drawn for a whole batch at once; a `generator` for each image costs
            more, and keeps threads from each other.
        effect: Does it to one image.
        spatial: Whether it does to all channels alike what it does to places, as blurs and erasures do. Otherwise it
            sees the colour channels alone (red, green and blue, or the grey one), and the others stay as they are.
    """

    draws: int | Callable[[Any], int]
    effect: Effect
    spatial: bool = False

    def draws_of(self, operation: Any) -> int:
        """Uniform numbers that a sample needs for an operation."""
        return self.draws if isinstance(self.draws, int) else self.draws(operation)


@final
@dataclass(frozen=True)
class PixelDraw:
    """An operation with what was drawn for a batch.

    Attributes:
        chosen: Which samples get it, bool (N,).
        u: float64 (N, draws).
        keys: uint64 (N,).
    """

    operation: Any
    how: PixelOperation
    chosen: np.ndarray
    u: Floats
    keys: np.ndarray
    epoch: int

    def apply(self, number: int, image: np.ndarray, colours: tuple[int, ...], scratch: Scratch) -> np.ndarray:
        """The image at a place of the batch, (H, W, C), after the operation.

        Args:
            number: Place in the batch.
            image: uint8 or float32 (H, W, C); not written to.
            colours: Places of red, green and blue, or of grey, among the channels; may be empty.
            scratch: For the operation.
        """
        if not self.chosen[number]:
            return image
        sample = Sample(self.u[number], int(self.keys[number]), self.epoch, scratch)
        if self.how.spatial or len(colours) == image.shape[2]:
            return self.how.effect(self.operation, image, sample)
        if not colours:
            return image
        places = list(colours)
        changed = self.how.effect(self.operation, np.ascontiguousarray(image[..., places]), sample)
        whole = image.astype(changed.dtype)
        whole[..., places] = changed
        return whole
