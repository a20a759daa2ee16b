"""What a temperature changes, measured on a part of the data."""

from dataclasses import asdict, dataclass
from typing import Any, final

import numpy as np

from vernier.deploy.calibrate.temperature import negative_log_likelihood
from vernier.evaluation.calibration import reliability
from vernier.evaluation.metrics import probabilities_of
from vernier.models.task import Task


@final
@dataclass(frozen=True)
class Scored:
    """What a model says of a part, before any temperature.

    Attributes:
        part: train, val, test or all.
        logits: float32 (n, num_outputs).
        targets: int64 (n,) or, multilabel, uint8 (n, C).
    """

    part: str
    logits: np.ndarray
    targets: np.ndarray

    def probabilities(self, task: Task, temperature: float) -> np.ndarray:
        """float32 (n, C), computed as every runtime does."""
        return probabilities_of(self.logits / np.float32(temperature), task)

    def answers(self, task: Task, temperature: float) -> tuple[np.ndarray, np.ndarray]:
        """The confidence of each answer, float32 (n,), and whether it is right as a whole, bool (n,)."""
        probabilities = self.probabilities(task, temperature)
        right = task.decide(probabilities) == self.targets
        return task.confidence(probabilities), right if right.ndim == 1 else right.all(axis=1)


@final
@dataclass(frozen=True)
class Figures:
    """How well a part is answered at a temperature.

    Attributes:
        nll: negative log-likelihood, the mean in nats.
        ece: expected calibration error; multilabel: of all decisions on all labels.
        accuracy: share of right answers; multilabel: all labels right.
    """

    nll: float
    ece: float
    accuracy: float

    def to_json(self) -> dict[str, Any]:
        """The three figures."""
        return asdict(self)


def measure_figures(scored: Scored, task: Task, temperature: float, bins: int) -> Figures:
    """Measure a part at a temperature; `bins` of equal width for the calibration error."""
    nll = negative_log_likelihood(scored.logits, scored.targets, task, temperature)
    confidence, right = _decisions(scored, task, temperature)
    accuracy = float(scored.answers(task, temperature)[1].mean())
    return Figures(nll, reliability(confidence, right, bins).expected_calibration_error, accuracy)


def _decisions(scored: Scored, task: Task, temperature: float) -> tuple[np.ndarray, np.ndarray]:
    """Confidence and rightness of each decision: one an image, or one a label."""
    if task.name != "multilabel":
        return scored.answers(task, temperature)
    probabilities = scored.probabilities(task, temperature)
    decisions = task.decide(probabilities)
    confidence = np.where(decisions == 1, probabilities, 1 - probabilities)
    return confidence.ravel(), (decisions == scored.targets).ravel()
