"""What the report computes from predictions: reliability and the error bar of a share."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vernier.evaluation.run_tables import Prediction

_Z_95 = 1.959963984540054


@dataclass(frozen=True)
class Bin:
    """Images whose confidence lies in (low, high]: how many, how confident, how often right."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Reliability:
    """Confidence against accuracy over equal-width bins; empty bins are left out."""

    bins: tuple[Bin, ...]

    @property
    def calibration_error(self) -> float:
        """Mean of |accuracy - confidence| over the images (Guo et al. 2017, equation 3)."""
        total = sum(bin_.n for bin_ in self.bins)
        return sum(bin_.n * abs(bin_.accuracy - bin_.confidence) for bin_ in self.bins) / total


def reliability(predictions: Sequence[Prediction], num_bins: int) -> Reliability:
    """Sort predictions into `num_bins` equal-width bins of confidence. There is at least one prediction."""
    confidence = np.array([prediction.confidence for prediction in predictions])
    right = np.array([prediction.is_right for prediction in predictions], dtype=np.float64)
    positions = np.clip(np.ceil(confidence * num_bins).astype(np.int64) - 1, 0, num_bins - 1)
    bins = []
    for position in np.unique(positions):
        inside = positions == position
        low, high = position / num_bins, (position + 1) / num_bins
        bins.append(
            Bin(
                float(low),
                float(high),
                int(inside.sum()),
                float(confidence[inside].mean()),
                float(right[inside].mean()),
            )
        )
    return Reliability(tuple(bins))


def wilson_interval(share: float, n: int) -> tuple[float, float]:
    """The 95 % interval of a share measured on `n` images (Wilson 1927)."""
    spread = _Z_95**2 / n
    middle = (share + spread / 2) / (1 + spread)
    half = _Z_95 / (1 + spread) * math.sqrt(share * (1 - share) / n + spread / (4 * n))
    return max(0.0, middle - half), min(1.0, middle + half)
