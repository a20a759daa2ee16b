"""What can be measured: anything that turns images into logits."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from vernier.augment.preprocess import Preprocessing
from vernier.evaluation.reading import LenientImages
from vernier.models.task import Task


class ImageClassifier(Protocol):
    """A `Classifier` in torch, or the like in another runtime."""

    @property
    def task(self) -> Task:
        """What the outputs mean."""

    @property
    def preprocessing(self) -> Preprocessing:
        """From a decoded image to the network's input; says how images are to be decoded."""

    def logits(
        self, images: LenientImages, indices: Sequence[int] | np.ndarray, *, batch_size: int, threads: int
    ) -> np.ndarray:
        """float32 (len(indices), num_outputs), divided by the temperature.

        Args:
            images: uint8 (H, W, C) each.
            indices: positions in `images`.
            batch_size: images at once.
            threads: that read images; 0 for none but the calling one.
        """
