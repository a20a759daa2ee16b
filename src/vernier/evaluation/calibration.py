"""How far stated confidence is from how often a prediction is right."""

from dataclasses import dataclass
from typing import final

import numpy as np


@final
@dataclass(frozen=True)
class Reliability:
    """Predictions in equal-width bins of confidence (a reliability diagram).

    Bin m of M holds confidences in ((m - 1) / M, m / M]; the first one holds 0 too.

    Attributes:
        counts: int64 (M,), predictions in each bin.
        confidence: float64 (M,), mean confidence of each bin; 0 where it is empty.
        accuracy: float64 (M,), share of right predictions of each bin; 0 where it is empty.
    """

    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @property
    def expected_calibration_error(self) -> float:
        """Mean over predictions of |accuracy - confidence| of their bin (Guo et al. 2017, equation 3)."""
        gaps = np.abs(self.accuracy - self.confidence)
        return float((self.counts * gaps).sum() / self.counts.sum())


def reliability(confidence: np.ndarray, correct: np.ndarray, bins: int) -> Reliability:
    """Bin predictions by confidence.

    Args:
        confidence: (N,), from 0 to 1, N at least 1.
        correct: bool (N,).
        bins: number of bins.
    """
    confidence = confidence.astype(np.float64)
    upper_edges = np.arange(1, bins) / bins
    places = np.searchsorted(upper_edges, confidence, side="left")
    counts = np.bincount(places, minlength=bins)
    filled = np.maximum(counts, 1)
    return Reliability(
        counts,
        np.bincount(places, weights=confidence, minlength=bins) / filled,
        np.bincount(places, weights=correct.astype(np.float64), minlength=bins) / filled,
    )
