"""What a callback is: a few hooks that the training loop calls."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vernier.data.loader import Batch
from vernier.evaluation.metrics import Measures
from vernier.training.log import Display
from vernier.training.run_directory import RunDirectory
from vernier.training.setup import Setup
from vernier.training.state import TrainState
from vernier.training.step import StepResult


@dataclass
class Training:
    """A training while it goes on: what callbacks see, and may change.

    Attributes:
        setup: Model, optimizer, data; another one once `train.unfreeze` has let more layers train.
        run: Where it is written.
        state: How far it is. Setting `state.stopped_early` to a reason, in `begin`, `validation_end` or `epoch_end`,
            ends the training; every process has to come to the same decision. A checkpoint does not keep it: a callback
            whose reason still holds when the training goes on says so again in `begin`.
        display: What a person sees.
        save_requested: Set it in `step_end` to have a checkpoint written after the step. One process is enough.
        stop_requested: Set it in `step_end`, to a reason, to have the training end after the step. One process is
            enough.
        learning_rate: That of the last step; parameter groups may have others besides.
        extra_measures: Measures besides those of the validation set, of the validation at hand.
    """

    setup: Setup
    run: RunDirectory
    state: TrainState
    display: Display
    save_requested: bool = False
    stop_requested: str | None = None
    learning_rate: float = 0.0
    extra_measures: dict[str, float] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        """Whether no more steps come: all are done, or the training was stopped early."""
        state, steps = self.state, self.setup.steps
        done = state.epoch >= steps.epochs or state.step >= steps.total
        return done or state.stopped_early is not None

    @property
    def epoch_number(self) -> int:
        """The epoch at hand, from 1."""
        return self.state.epoch + 1

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that writes."""
        return self.setup.group.rank == 0


class Callback:
    """Watches a training. Every process of a training has its own; only the first may write (`Training.is_first`).

    A hook that is not overridden costs nothing. Hooks are called in the order of the callbacks.
    """

    def begin(self, training: Training) -> None:
        """The training begins or goes on; weights, optimizer and this callback's state are restored."""

    def step_end(self, training: Training, batch: Batch, result: StepResult) -> None:
        """An optimizer step is done; `state.step` counts it. Of accumulated batches this is the last one.

        `result.sums` lies on the device: reading it waits for the step.
        """

    def step_logged(self, training: Training, values: Mapping[str, float]) -> None:
        """Figures of a step (`epoch`, `lr`, `loss` over all processes) are there, every `train.log_every`."""

    def validation_begin(self, training: Training) -> None:
        """The model is about to be measured."""

    def validation_end(self, training: Training, measures: Measures) -> None:
        """The model was measured on the validation set; without one this is never called."""

    def epoch_end(self, training: Training, values: Mapping[str, float]) -> None:
        """An epoch is over, with its figures: `lr`, `train_loss`, `train_accuracy`, `val_...`, `seconds`, ..."""

    def end(self, training: Training) -> None:
        """No more steps come in this process, because training is over, interrupted or failed."""

    def state_dict(self) -> dict[str, Any]:
        """What must survive an interruption: plain values and tensors."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` gave; called before `begin`."""
