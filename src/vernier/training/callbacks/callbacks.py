"""All callbacks of a training as one."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, final

import torch

from vernier.data.loader import Batch
from vernier.errors import TrainingError
from vernier.evaluation.metrics import Measures
from vernier.training.callbacks.callback import Callback, Training
from vernier.training.step import StepResult


@final
class Callbacks:
    """Calls each of them in order."""

    def __init__(self, callbacks: Sequence[Callback]) -> None:
        self._all = tuple(callbacks)
        # Most callbacks have nothing to do after a step, and steps are many.
        self._of_steps = [each.step_end for each in callbacks if type(each).step_end is not Callback.step_end]

    @contextmanager
    def watching(self, training: Training) -> Iterator[None]:
        """Call `begin` now and `end` afterwards, whatever happens between."""
        begun: list[Callback] = []
        try:
            for callback in self._all:
                callback.begin(training)
                begun.append(callback)
            yield
        finally:
            for callback in begun:
                callback.end(training)

    def step_end(self, training: Training, batch: Batch, result: StepResult) -> None:
        """See `Callback.step_end`."""
        for step_end in self._of_steps:
            step_end(training, batch, result)

    def step_logged(self, training: Training, values: Mapping[str, float]) -> None:
        """See `Callback.step_logged`."""
        for callback in self._all:
            callback.step_logged(training, values)

    def validation_begin(self, training: Training) -> None:
        """See `Callback.validation_begin`."""
        for callback in self._all:
            callback.validation_begin(training)

    def validation_end(self, training: Training, measures: Measures) -> None:
        """See `Callback.validation_end`."""
        for callback in self._all:
            callback.validation_end(training, measures)

    def epoch_end(self, training: Training, values: Mapping[str, float]) -> None:
        """See `Callback.epoch_end`."""
        for callback in self._all:
            callback.epoch_end(training, values)

    def state_dicts(self) -> dict[str, Any]:
        """State of each callback by its name; of those that have any.

        Raises:
            TrainingError: a callback gives something that a checkpoint can't hold.
        """
        states = {name: callback.state_dict() for name, callback in self._named()}
        for name, state in states.items():
            _require_plain(state, name)
        return {name: state for name, state in states.items() if state}

    def load_state_dicts(self, states: Mapping[str, Any]) -> None:
        """The inverse; a callback that was not there then begins afresh."""
        for name, callback in self._named():
            if name in states:
                callback.load_state_dict(states[name])

    def _named(self) -> Iterator[tuple[str, Callback]]:
        seen: Counter[str] = Counter()
        for callback in self._all:
            name = type(callback).__name__
            seen[name] += 1
            yield (name if seen[name] == 1 else f"{name}#{seen[name]}"), callback


def _require_plain(value: Any, where: str) -> None:
    """Refuse what could be written but not read again: loading runs no code."""
    if type(value) in (dict, list, tuple):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            _require_plain(key, f"a key of {where}")
            _require_plain(item, f"{where}[{key!r}]")
    elif not (value is None or type(value) in (bool, int, float, str) or isinstance(value, torch.Tensor)):
        raise TrainingError(
            f"{where} of a callback's state_dict is a {type(value).__name__}; give plain values (numbers, text, lists, "
            "mappings) and tensors only"
        )
