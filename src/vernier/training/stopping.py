"""Which validation is the best one, and when to stop because none gets better."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from vernier.training.state import TrainState

Mode = Literal["max", "min"]


def improves(value: float, best: float | None, mode: Mode, min_delta: float = 0.0) -> bool:
    """Whether `value` is better than `best` by more than `min_delta`; anything beats None, NaN beats nothing."""
    if best is None:
        return value == value
    return value > best + min_delta if mode == "max" else value < best - min_delta


@dataclass(frozen=True)
class EarlyStopping:
    """Stop after `patience` validations in a row without improvement."""

    monitor: str
    mode: Mode
    patience: int
    min_delta: float

    def update(self, state: TrainState, measures: Mapping[str, float]) -> None:
        """Take one validation into account; sets `state.stopped_early` to the reason when it is time to stop."""
        value = measures[self.monitor]
        if improves(value, state.stopping_best, self.mode, self.min_delta):
            state.stopping_best = value
            state.epochs_without_improvement = 0
            return
        state.epochs_without_improvement += 1
        if state.epochs_without_improvement >= self.patience:
            state.stopped_early = (
                f"val_{self.monitor} has not improved on {state.stopping_best} for {self.patience} epochs"
            )
