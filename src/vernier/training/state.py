"""What a training knows about itself besides weights and optimizer: all of it survives an interruption."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass
class Best:
    """The best validation so far."""

    epoch: int
    value: float
    measures: dict[str, float]
    step: int = 0


@dataclass
class TrainState:
    """Progress of a training. Epochs are counted from 0 here and from 1 in everything a person reads.

    Attributes:
        epoch: Epochs completed.
        batch: Batches done of the current epoch.
        step: Optimizer steps done.
        loss_sum: Sum of the sample losses of the current epoch so far.
        correct: Right predictions of the current epoch so far.
        count: Samples of the current epoch so far.
        stopped_early: Why the training ended before its last step.
        validation: Measures of the last validation.
        validated_at: The step at which that was.
        ended_at: The step at which an epoch was last closed, be it whole or not.
        lr_scale: What callbacks have made of the learning rate, besides the schedule.
        seconds: Time spent training, without validation.
        images: Samples trained on.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    correct: float = 0.0
    count: int = 0
    stopped_early: str | None = None
    best: Best | None = None
    validation: dict[str, float] | None = None
    validated_at: int | None = None
    ended_at: int = 0
    lr_scale: float = 1.0
    seconds: float = 0.0
    images: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for a checkpoint."""
        return asdict(self)

    @staticmethod
    def from_dict(values: dict[str, Any]) -> "TrainState":
        """The inverse of `to_dict`."""
        best = values["best"]
        return TrainState(**{**values, "best": None if best is None else Best(**best)})

    def begin_next_epoch(self) -> None:
        """Count the current epoch as completed and clear what is kept for one epoch."""
        self.epoch += 1
        self.batch = 0
        self.loss_sum = self.correct = 0.0
        self.count = 0
