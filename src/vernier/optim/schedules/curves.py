"""Formulas that several schedules share."""

import math


def line(start: float, end: float, progress: float) -> float:
    """From `start` to `end` in a straight line, as `progress` goes from 0 to 1."""
    return start + (end - start) * progress


def half_cosine(start: float, end: float, progress: float) -> float:
    """From `start` to `end` along half a cosine, as `progress` goes from 0 to 1."""
    return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2
