"""Ctrl-C and SIGTERM end a training after the current step, with a resumable state."""

import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

_CAUGHT = (signal.SIGINT, signal.SIGTERM)
_ONE_PRESS = 1.0


@dataclass
class StopRequest:
    """The signal that asked for an end, or 0."""

    signal_number: int = 0


@contextmanager
def catch_stop_signals() -> Iterator[StopRequest]:
    """Note the first SIGINT or SIGTERM instead of dying of it; one more, a second later, has its usual effect.

    A terminal sends Ctrl-C to every process at once and a launcher passes it on, so what comes within a second
    is one request.
    """
    request = StopRequest()
    previous = {number: signal.getsignal(number) for number in _CAUGHT}
    first = 0.0

    def note(number: int, _frame: FrameType | None) -> None:
        nonlocal first
        if not request.signal_number:
            request.signal_number, first = number, time.monotonic()
        elif time.monotonic() - first > _ONE_PRESS:
            signal.signal(number, previous[signal.Signals(number)])
            signal.raise_signal(number)

    with _handling(note):
        yield request


@contextmanager
def forward_stop_signals(process: subprocess.Popen[bytes]) -> Iterator[StopRequest]:
    """Pass SIGINT and SIGTERM on to a process instead of dying of them."""
    request = StopRequest()

    def forward(number: int, _frame: FrameType | None) -> None:
        request.signal_number = number
        process.send_signal(number)

    with _handling(forward):
        yield request


@contextmanager
def _handling(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Handle both signals by `handler`; outside the main thread Python allows none, and nothing changes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {number: signal.signal(number, handler) for number in _CAUGHT}
    try:
        yield
    finally:
        for number, old in previous.items():
            signal.signal(number, old)
