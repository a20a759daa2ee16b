"""From probabilities to answers: what counts, what is rejected, how sure it is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from vernier.deploy.predictions import Prediction
from vernier.models.task import Task


@final
@dataclass(frozen=True)
class Answering:
    """How answers are made of probabilities.

    Attributes:
        task: What the probabilities mean.
        top_k: How many of the most probable classes each prediction lists.
        reject: Confidence below which an image is `unknown`; None for never.
        levels: Confidence below which an answer is of level low, and below which it is of level medium.
    """

    task: Task
    top_k: int = 1
    reject: float | None = None
    levels: tuple[float, float] | None = None

    def answers(self, paths: Sequence[str], probabilities: np.ndarray) -> Iterator[Prediction]:
        """A prediction for each row of probabilities, float32 (N, C)."""
        ranked = np.argsort(-probabilities, axis=1, kind="stable")[:, : self.top_k]
        labels = self.task.labels(self.task.decide(probabilities))
        confidences = self.task.confidence(probabilities)
        for path, label, confidence, order, row in zip(paths, labels, confidences, ranked, probabilities, strict=True):
            top = tuple((self.task.class_names[index], row[index]) for index in order)
            rejected, level = self._is_rejected(confidence), self._level(confidence)
            yield Prediction(path, label, confidence, top, row, rejected, level)

    def _is_rejected(self, confidence: np.float32) -> bool:
        return self.reject is not None and bool(confidence < np.float32(self.reject))

    def _level(self, confidence: np.float32) -> str | None:
        if self.levels is None:
            return None
        medium, high = map(np.float32, self.levels)
        return "low" if confidence < medium else "medium" if confidence < high else "high"
