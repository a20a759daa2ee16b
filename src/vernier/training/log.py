"""What a person sees of a training: a live bar on a terminal, plain lines elsewhere, and train.log."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, final

from rich.console import Console
from rich.highlighter import NullHighlighter
from rich.logging import RichHandler
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from vernier.errors import ConfigError, ConfigProblem

logger = logging.getLogger("vernier")

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


class Display(Protocol):
    """Shows how far something is."""

    def begin(self, title: str, total: int) -> None:
        """A new piece of work of `total` parts."""

    def advance(self, done: int, note: str = "") -> None:
        """`done` parts of it are done."""

    def end(self) -> None:
        """The piece of work is done."""


@final
class LineDisplay:
    """For files and pipes: the log's lines say enough."""

    def begin(self, title: str, total: int) -> None:
        """Nothing to show."""

    def advance(self, done: int, note: str = "") -> None:
        """Nothing to show."""

    def end(self) -> None:
        """Nothing to show."""


@final
class BarDisplay:
    """For terminals: one live bar."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress: Progress | None = None

    def begin(self, title: str, total: int) -> None:
        """Show a bar."""
        self.end()
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=self._console,
            transient=True,
        )
        self._progress.add_task(title, total=total, note="")
        self._progress.start()

    def advance(self, done: int, note: str = "") -> None:
        """Move the bar."""
        if self._progress is not None:
            self._progress.update(self._progress.task_ids[0], completed=done, note=note)

    def end(self) -> None:
        """Take the bar away."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


def make_display() -> Display:
    """A bar on standard error if that is a terminal, nothing elsewhere."""
    console = Console(stderr=True)
    return BarDisplay(console) if console.is_terminal else LineDisplay()


@contextmanager
def logging_to(file: Path | None, quiet: bool = False) -> Iterator[None]:
    """Send the log to standard error and, when given, to a file; take both back afterwards.

    Messages below the level of the environment's VERNIER_LOG_LEVEL are left out of both; it is INFO by default.

    Args:
        file: train.log of a run.
        quiet: Nothing on standard error (other ranks).

    Raises:
        ConfigError: there is no such level.
    """
    least = _least_level()
    handlers: list[logging.Handler] = [] if quiet else [_console_handler()]
    if file is not None:
        written = logging.FileHandler(file, encoding="utf-8")
        written.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        handlers.append(written)
    level, propagate = logger.level, logger.propagate
    logger.setLevel(least)
    logger.propagate = False
    for handler in handlers:
        logger.addHandler(handler)
    try:
        yield
    finally:
        for handler in handlers:
            logger.removeHandler(handler)
            handler.close()
        logger.setLevel(level)
        logger.propagate = propagate


def _least_level() -> str:
    level = os.environ.get("VERNIER_LOG_LEVEL", "INFO")
    if level.upper() not in _LEVELS:
        message = f"{level!r} is not a level of the log; choose from {', '.join(_LEVELS)}"
        raise ConfigError([ConfigProblem("VERNIER_LOG_LEVEL", message)])
    return level.upper()


def _console_handler() -> logging.Handler:
    console = Console(stderr=True)
    if console.is_terminal:
        return RichHandler(
            console=console, show_time=False, show_level=False, show_path=False, highlighter=NullHighlighter()
        )
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    return handler
