"""A callback that lets something happen to the world outside, once."""

from collections.abc import Callable

from vernier.training.callbacks.callback import Callback

events: dict[int, Callable[[], None]] = {}
"""What happens after a step; each is gone once it has happened."""


class Event(Callback):
    """Lets `events` happen."""

    def step_end(self, training, batch, result):
        if event := events.pop(training.state.step, None):
            event()
