"""Temperature scaling: logits divided by one number (Guo et al. 2017, "On Calibration of Modern Neural Networks")."""

import math
from dataclasses import dataclass
from typing import final

import numpy as np

from vernier.models.task import Task

_LOWEST, _HIGHEST = 0.01, 1000.0
_STEPS = 100
_TOLERANCE = 1e-10
_DIGITS = 6

_LEAST_GAIN = 1.0
"""Nats over all choices that a fitted number has to gain; below, other data gain nothing by it (Akaike 1974)."""

_ALL_RIGHT = "every answer is right, so the likelihood grows without end as the temperature falls: nothing to fit"
_CHANCE = "the outputs say less of the targets than chance does, so no temperature makes them fit"
_NO_GAIN = "another one makes the likelihood better by less than chance does ({gain:.3f} nats over the set)"


@final
@dataclass(frozen=True)
class TemperatureFit:
    """A temperature, and why it is 1 where nothing was gained."""

    temperature: float
    note: str | None = None


@final
@dataclass(frozen=True)
class _Choices:
    """Float64 logits (M, K) of M choices among K, and the right ones, int64 (M,)."""

    logits: np.ndarray
    right: np.ndarray


def fit_temperature(logits: np.ndarray, targets: np.ndarray, task: Task) -> TemperatureFit:
    """The temperature at which the negative log-likelihood is lowest, by Newton's method in float64.

    In b = 1 / T the likelihood is convex: its slope is the mean of E_p[z] - z_target, its curvature the mean of the
    variance of z under p = softmax(b z). A step that leaves the bracket is a bisection in its place.

    Args:
        logits: float32 (N, num_outputs), not divided by any temperature, N at least 1.
        targets: int64 (N,) or, multilabel, uint8 (N, C).
        task: what they mean; one label of C is C choices between two.

    Returns:
        From 0.01 to 1000, six digits; exactly 1 where there is nothing to fit, or no more to gain than by chance.
    """
    choices = _as_choices(logits, targets, task)
    low, high = 1 / _HIGHEST, 1 / _LOWEST
    if _derivatives(choices, low)[0] >= 0:
        return TemperatureFit(1.0, _CHANCE)
    if _derivatives(choices, high)[0] <= 0:
        return TemperatureFit(1.0, _ALL_RIGHT)
    temperature = float(f"{1 / _root(choices, low, high):.{_DIGITS}g}")
    gain = len(choices.right) * (_likelihood(choices, 1.0) - _likelihood(choices, temperature))
    return TemperatureFit(temperature) if gain > _LEAST_GAIN else TemperatureFit(1.0, _NO_GAIN.format(gain=gain))


def negative_log_likelihood(logits: np.ndarray, targets: np.ndarray, task: Task, temperature: float) -> float:
    """Mean over the images, multilabel over the labels too, in nats and float64; arguments as `fit_temperature`."""
    return _likelihood(_as_choices(logits, targets, task), temperature)


def _as_choices(logits: np.ndarray, targets: np.ndarray, task: Task) -> _Choices:
    if task.name == "multiclass":
        return _Choices(logits.astype(np.float64), targets.astype(np.int64))
    positive = logits.astype(np.float64).reshape(-1, 1)
    return _Choices(np.hstack([np.zeros_like(positive), positive]), targets.astype(np.int64).reshape(-1))


def _root(choices: _Choices, low: float, high: float) -> float:
    """Where the slope is 0: between `low`, where it is negative, and `high`, where it is positive."""
    inverse = 1.0
    for _ in range(_STEPS):
        slope, curvature = _derivatives(choices, inverse)
        low, high = (low, inverse) if slope > 0 else (inverse, high)
        newton = inverse - slope / curvature if curvature > 0 else math.inf
        before, inverse = inverse, newton if low <= newton <= high else math.sqrt(low * high)
        if abs(inverse - before) <= _TOLERANCE * before:
            break
    return inverse


def _derivatives(choices: _Choices, inverse: float) -> tuple[float, float]:
    """Slope and curvature of the negative log-likelihood in 1 / T."""
    probabilities = np.exp(_log_softmax(inverse * choices.logits))
    mean = (probabilities * choices.logits).sum(axis=1)
    variance = (probabilities * (choices.logits - mean[:, None]) ** 2).sum(axis=1)
    return float((mean - _of_right(choices.logits, choices.right)).mean()), float(variance.mean())


def _likelihood(choices: _Choices, temperature: float) -> float:
    return float(-_of_right(_log_softmax(choices.logits / temperature), choices.right).mean())


def _log_softmax(values: np.ndarray) -> np.ndarray:
    shifted = values - values.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def _of_right(values: np.ndarray, right: np.ndarray) -> np.ndarray:
    return np.take_along_axis(values, right[:, None], axis=1)[:, 0]
