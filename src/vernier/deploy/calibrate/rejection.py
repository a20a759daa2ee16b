"""The confidence from which an answer counts; below it an image is `unknown`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from vernier.evaluation.report.statistics import wilson_interval

Criterion = Callable[[int, int], float]
"""What has to reach the target: a number from right answers and accepted images."""


@final
@dataclass(frozen=True)
class Accepted:
    """What a threshold lets through.

    Attributes:
        n: images.
        accepted: images whose confidence is the threshold or more.
        right: answers among them that are right.
    """

    n: int
    accepted: int
    right: int

    @property
    def precision(self) -> float:
        """Share of the accepted that is right; 1 when none is accepted."""
        return self.right / self.accepted if self.accepted else 1.0

    @property
    def coverage(self) -> float:
        """Share of the images that is accepted."""
        return self.accepted / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the precision (Wilson)."""
        return wilson_interval(self.precision, self.accepted) if self.accepted else (0.0, 1.0)

    def to_json(self) -> dict[str, Any]:
        """Counts and shares."""
        return {
            "n": self.n,
            "accepted": self.accepted,
            "coverage": self.coverage,
            "precision": self.precision,
            "precision_interval": list(self.interval),
        }


@final
@dataclass(frozen=True)
class Rejection:
    """A threshold for a target.

    Attributes:
        threshold: None where nothing has to be rejected, or where no threshold reaches the target.
        reached: whether the accepted images reach the target.
        accepted: what is accepted; without a threshold, everything.
    """

    threshold: float | None
    reached: bool
    accepted: Accepted


def precision_of(right: int, accepted: int) -> float:
    """The precision that was measured."""
    return right / accepted


def lower_bound_of(right: int, accepted: int) -> float:
    """The lower end of the 95 % interval of the precision (Wilson)."""
    return wilson_interval(right / accepted, accepted)[0]


def choose_threshold(
    confidence: np.ndarray, correct: np.ndarray, target: float, criterion: Criterion = precision_of
) -> Rejection:
    """The threshold that accepts the most images among those that reach a target.

    It lies halfway between the least confidence that is accepted and the next lower one, so that the last digits in
    which two runtimes differ do not decide.

    Args:
        confidence: float32 (N,), N at least 1.
        correct: bool (N,).
        target: what the criterion of the accepted images has to reach.
        criterion: precision, or a bound on it.
    """
    n = len(confidence)
    order = np.argsort(-confidence, kind="stable")
    ranked, right = confidence[order], np.cumsum(correct[order]).tolist()
    counts = (np.append(np.flatnonzero(np.diff(ranked)), n - 1) + 1).tolist()
    for count in reversed(counts):
        if criterion(right[count - 1], count) >= target:
            threshold = None if count == n else _between(ranked[count], ranked[count - 1])
            return Rejection(threshold, True, Accepted(n, count, right[count - 1]))
    return Rejection(None, False, Accepted(n, n, right[-1]))


def accept(confidence: np.ndarray, correct: np.ndarray, threshold: float | None) -> Accepted:
    """What a threshold lets through of other images; arguments as `choose_threshold`."""
    passed = np.ones(len(confidence), bool) if threshold is None else confidence >= np.float32(threshold)
    return Accepted(len(confidence), int(passed.sum()), int((passed & correct).sum()))


def _between(lower: np.float32, upper: np.float32) -> float:
    """A float32 above `lower` and not above `upper`."""
    middle = np.float32((float(lower) + float(upper)) / 2)
    return float(middle if middle > lower else upper)
