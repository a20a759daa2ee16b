"""Rows and curves of a training: CSV files, TensorBoard and whatever else is a tracker."""

from collections.abc import Mapping, Sequence
from typing import final

from vernier.config.flat import flatten
from vernier.evaluation.metrics import Measures
from vernier.track.tracker import Tracker
from vernier.training.callbacks.callback import Callback, Training


@final
class Records(Callback):
    """Hands what there is to record to the trackers, in the first process."""

    def __init__(self, trackers: Sequence[Tracker]) -> None:
        self._trackers = trackers

    def begin(self, training: Training) -> None:
        """See `Callback.begin`."""
        for tracker in self._trackers:
            tracker.start(flatten(training.setup.config))

    def step_logged(self, training: Training, values: Mapping[str, float]) -> None:
        """See `Callback.step_logged`."""
        for tracker in self._trackers:
            tracker.log_step(training.state.step, values)

    def validation_end(self, training: Training, measures: Measures) -> None:
        """See `Callback.validation_end`."""
        state = training.state
        for tracker in self._trackers:
            tracker.log_validation(training.epoch_number, state.step, {**measures.values, **training.extra_measures})

    def epoch_end(self, training: Training, values: Mapping[str, float]) -> None:
        """See `Callback.epoch_end`."""
        for tracker in self._trackers:
            tracker.log_epoch(training.epoch_number, training.state.step, values)

    def end(self, training: Training) -> None:
        """See `Callback.end`."""
        for tracker in self._trackers:
            tracker.close()
