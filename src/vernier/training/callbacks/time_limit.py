"""`train.max_time`: a training that has to be done by then."""

from typing import final

from vernier.config.duration import Duration
from vernier.data.loader import Batch
from vernier.training.callbacks.callback import Callback, Training
from vernier.training.step import StepResult


@final
class TimeLimit(Callback):
    """Ends a training that has trained for so long, interruptions not counted.

    Args:
        limit: A time.
    """

    def __init__(self, limit: Duration) -> None:
        self._limit = limit

    def begin(self, training: Training) -> None:
        """See `Callback.begin`."""
        if training.state.seconds >= self._limit.value:
            training.state.stopped_early = self._reason()

    def step_end(self, training: Training, batch: Batch, result: StepResult) -> None:
        """See `Callback.step_end`."""
        if training.state.seconds >= self._limit.value:
            training.stop_requested = self._reason()

    def _reason(self) -> str:
        return f"train.max_time={self._limit} of training is over"
