"""How far predictions are, on one line of a terminal."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import TextIO, final

from vernier.deploy.predictions import Answer
from vernier.errors import VernierError
from vernier.evaluation.words import duration, whole

_EVERY = 0.2
"""Seconds between two lines."""
_CLEAR = "\r\033[K"

Total = Callable[[], int | None]
"""How many there are in all; None while that is not known."""


@final
class ProgressLine:
    """Shows how many images are done, how many a second, and the time left."""

    def __init__(self, stream: TextIO, total: Total, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._total, self._clock = stream, total, clock
        self._start = self._shown = clock()
        self._done = 0

    def advance(self, block: Sequence[Answer]) -> None:
        """These are done too."""
        self._done += len(block)
        now = self._clock()
        if now - self._shown >= _EVERY:
            self._shown = now
            self._show(progress_text(self._done, self._total(), now - self._start))

    def end(self) -> None:
        """Take the line away."""
        self._show("")

    def _show(self, text: str) -> None:
        self._stream.write(_CLEAR + text)
        self._stream.flush()


def progress_text(done: int, total: int | None, seconds: float) -> str:
    """`1,200 of 100,000 images, 214 images/s, 7 min 41 s left`."""
    of_all = "" if total is None else f" of {whole(total)}"
    rate = done / seconds if seconds > 0 else 0.0
    left = f", {duration((total - done) / rate)} left" if total is not None and rate > 0 and total >= done else ""
    return f"{whole(done)}{of_all} images, {rate:,.0f} images/s{left}"


def counted_aside(count: Callable[[], int]) -> Total:
    """Count in a thread of its own; what can't be counted is never known."""
    found: list[int] = []

    def work() -> None:
        try:
            found.append(count())
        except VernierError:
            # Whoever works on the files says what is wrong with them.
            return

    threading.Thread(target=work, name="vernier-count", daemon=True).start()
    return lambda: found[0] if found else None
