"""What every tracker of a training does."""

from collections.abc import Mapping
from typing import Protocol


class Tracker(Protocol):
    """Records a training somewhere. Steps and epochs are counted from 1."""

    def start(self, config: Mapping[str, object]) -> None:
        """A training begins or goes on, with this resolved config (dotted keys)."""

    def log_step(self, step: int, values: Mapping[str, float]) -> None:
        """Values of one optimizer step."""

    def log_validation(self, epoch: int, step: int, values: Mapping[str, float]) -> None:
        """Measures of a validation after `step`, within or at the end of an epoch."""

    def log_epoch(self, epoch: int, step: int, values: Mapping[str, float]) -> None:
        """Values of one epoch, which ended with `step`."""

    def close(self) -> None:
        """The training ends or is interrupted."""
