"""`train.profile`: a trace of some steps."""

from typing import final

from vernier.data.loader import Batch
from vernier.training.callbacks.callback import Callback, Training
from vernier.training.profile import StepProfiler, make_profiler
from vernier.training.step import StepResult


@final
class Profiler(Callback):
    """Traces steps in the first process."""

    def __init__(self) -> None:
        self._profiler: StepProfiler | None = None

    def begin(self, training: Training) -> None:
        """See `Callback.begin`."""
        if training.is_first:
            setup = training.setup
            self._profiler = make_profiler(setup.config, training.run.path, training.state.step, setup.steps.per_epoch)

    def step_end(self, training: Training, batch: Batch, result: StepResult) -> None:
        """See `Callback.step_end`."""
        if self._profiler is not None:
            self._profiler.step()

    def end(self, training: Training) -> None:
        """See `Callback.end`."""
        if self._profiler is not None:
            self._profiler.close()
