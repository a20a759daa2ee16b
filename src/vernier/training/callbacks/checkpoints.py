"""Checkpoints within an epoch; those at its end are the loop's."""

from collections.abc import Mapping
from typing import final

from vernier.data.loader import Batch
from vernier.training.callbacks.callback import Callback, Training
from vernier.training.due import Timer
from vernier.training.step import StepResult


@final
class Checkpoints(Callback):
    """Asks for a checkpoint every `train.checkpoint_every`, by the clock of the first process."""

    def __init__(self) -> None:
        self._timer: Timer | None = None

    def begin(self, training: Training) -> None:
        """See `Callback.begin`."""
        if training.is_first:
            every = training.setup.config.train.checkpoint_every
            self._timer = Timer(every, training.setup.steps, training.state.step)

    def step_end(self, training: Training, batch: Batch, result: StepResult) -> None:
        """See `Callback.step_end`."""
        step = training.state.step
        if self._timer is not None and self._timer.is_due(step):
            self._timer.restart(step)
            training.save_requested = True

    def epoch_end(self, training: Training, values: Mapping[str, float]) -> None:
        """See `Callback.epoch_end`."""
        if self._timer is not None:
            self._timer.restart(training.state.step)
