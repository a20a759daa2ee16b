"""When something that happens every so often is due."""

import time
from math import floor
from typing import final

from vernier.config.duration import Duration
from vernier.training.steps import Steps


@final
class Timer:
    """Tells when a duration has passed since the last restart.

    Durations in steps go by the count from the first step, so that an interruption moves nothing.
    """

    def __init__(self, duration: Duration, steps: Steps, step: int) -> None:
        self._seconds = duration.value if duration.unit == "s" else None
        self._steps = None if duration.unit == "s" else max(1, duration.steps(steps.per_epoch, steps.total))
        self.restart(step)

    def restart(self, step: int) -> None:
        """Count from now and from this step."""
        self._start_step, self._start_time = step, time.perf_counter()

    def is_due(self, step: int) -> bool:
        """Whether the duration has passed when this many steps are done."""
        if self._steps is not None:
            return step // self._steps > self._start_step // self._steps
        return self._seconds is not None and time.perf_counter() - self._start_time >= self._seconds


def comes_up(every: Duration, steps: Steps, step: int) -> bool:
    """Whether something that happens `every` so many epochs, steps or percent is due when `step` steps are done.

    Parts of an epoch need not be whole steps: it comes up at the first step by which they have passed.
    """
    return has_come_up(every, steps, step - 1, step)


def has_come_up(every: Duration, steps: Steps, before: int, step: int) -> bool:
    """Whether something that happens `every` so often fell due after step `before`, by step `step`."""
    whole = {"ep": steps.per_epoch, "st": 1, "%": steps.total / 100}[every.unit]
    interval = max(every.value * whole, 1.0)
    return _times(step, interval) > _times(before, interval)


def _times(step: int, interval: float) -> int:
    # 0.1 of an epoch ten times over is a whole one, whatever floats make of it.
    return floor(step / interval + 1e-9)
