"""Which of two values of a metric is the better one."""

from typing import Literal

Mode = Literal["max", "min"]


def improves(value: float, best: float | None, mode: Mode, min_delta: float = 0.0) -> bool:
    """Whether `value` is better than `best` by more than `min_delta`; anything beats None, NaN beats nothing."""
    if best is None:
        return value == value
    return value > best + min_delta if mode == "max" else value < best - min_delta
