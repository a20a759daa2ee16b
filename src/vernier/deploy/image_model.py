"""A model as `vernier predict` uses it, whatever runs it."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from vernier.augment.preprocess import Preprocessing
from vernier.models.task import Task


class ImageModel(Protocol):
    """What turns decoded images into probabilities, in two steps: one for threads, one for the thread that asks."""

    @property
    def task(self) -> Task:
        """What the probabilities mean."""

    @property
    def preprocessing(self) -> Preprocessing:
        """Says how images are to be decoded."""

    @property
    def reject_threshold(self) -> float | None:
        """The model's own confidence below which an image is `unknown`; None for never."""

    @property
    def threads(self) -> int:
        """How many threads should prepare when nobody says."""

    def prepare(self, image: np.ndarray) -> np.ndarray:
        """What `probabilities` takes, of an image uint8 (H, W, C). Safe to call from several threads.

        Raises:
            UnfitImageError: The model does not take an image of this size.
        """

    def probabilities(self, prepared: Sequence[np.ndarray]) -> np.ndarray:
        """float32 (N, C), in the order of the images.

        Raises:
            TrainingError: Outputs that are not finite.
        """


class UnfitImageError(Exception):
    """An image that the model does not take, and why; it is told as a file that can't be read."""
