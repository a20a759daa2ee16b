"""What is said of an image: a prediction, or why there is none."""

from dataclasses import dataclass
from typing import final

import numpy as np

UNKNOWN = "unknown"
"""The prediction for an image whose confidence is below the threshold."""


@final
@dataclass(frozen=True)
class Prediction:
    """What the model says of one image.

    Attributes:
        path: The file, as it was asked for.
        guess: The class; multilabel: the labels from the threshold on, joined by `|`.
        confidence: Probability of the guess; multilabel: of the least certain decision.
        top: The `top_k` most probable classes and their probabilities, the most probable first.
        probabilities: float32 (C,), in the order of the classes.
        rejected: Whether the confidence is too low for the guess to count.
        level: low, medium or high; None when no levels were asked for.
    """

    path: str
    guess: str
    confidence: np.float32
    top: tuple[tuple[str, np.float32], ...]
    probabilities: np.ndarray
    rejected: bool = False
    level: str | None = None

    @property
    def prediction(self) -> str:
        """The guess, or `unknown` where it does not count."""
        return UNKNOWN if self.rejected else self.guess


@final
@dataclass(frozen=True)
class Failure:
    """A file that can't be read, and why."""

    path: str
    reason: str


Answer = Prediction | Failure


@final
@dataclass(frozen=True)
class PredictResult:
    """Predictions and failures, in the order of the inputs."""

    class_names: tuple[str, ...]
    rows: tuple[Prediction, ...]
    failures: tuple[Failure, ...]
