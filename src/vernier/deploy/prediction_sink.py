"""Where predictions go as they are made."""

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Protocol

from vernier.deploy.predictions import Answer, Failure, Prediction


class Sink(Protocol):
    """Takes predictions, some at a time."""

    def write(self, rows: Sequence[Prediction]) -> None:
        """Take some; what they are written to has them when this returns, as far as its format allows.

        Raises:
            RunError: The system refuses.
        """

    def finish(self) -> None:
        """All have come.

        Raises:
            RunError: The system refuses.
        """

    def abandon(self) -> Path | None:
        """No more will come, though some are missing; returns the file where what came is kept, if there is one."""


Told = Callable[[Sequence[Answer]], None]
"""Is told of answers that are written."""


def deliver(blocks: Generator[list[Answer], None, None], openers: Sequence[Callable[[], Sink]], told: Told) -> None:
    """Give answers to all sinks as they come, and finish them.

    What ends the work early passes through, with notes that name the files in which what was done is kept.

    Raises:
        RunError: The system refuses to write.
    """
    sinks: list[Sink] = []
    try:
        sinks += (opener() for opener in openers)
        with closing(blocks):
            for block in blocks:
                _write(block, sinks)
                told(block)
        for sink in sinks:
            sink.finish()
    except BaseException as error:
        for kept in [sink.abandon() for sink in sinks]:
            if kept is not None:
                error.add_note(f"what was done is in {kept}")
        raise


def _write(block: Sequence[Answer], sinks: Sequence[Sink]) -> None:
    rows = [answer for answer in block if not isinstance(answer, Failure)]
    for sink in sinks:
        sink.write(rows)
