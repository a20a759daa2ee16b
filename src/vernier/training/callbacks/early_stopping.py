"""The end of a training that no longer gets better, or is good enough (`callbacks.early_stopping`)."""

from typing import Any, final

from vernier.config.callbacks import EarlyStoppingConfig
from vernier.config.root import Config
from vernier.config.settled import settled
from vernier.errors import TrainingError
from vernier.evaluation.metrics import Measures
from vernier.evaluation.words import several
from vernier.training.callbacks.callback import Callback, Training
from vernier.training.stopping import Mode, improves


@final
class EarlyStopping(Callback):
    """Stops after `patience` validations without improvement, or at once when the best value reaches a threshold.

    Sets of `evaluate.extended` may be measured more rarely; validations without the metric change nothing then.

    Args:
        config: With the monitor and the mode settled.
    """

    def __init__(self, config: EarlyStoppingConfig) -> None:
        self._config = config
        self._mode: Mode = settled(config.mode)
        self._monitor = config.monitor.removeprefix("val_")
        self._validations = 0
        self._without_improvement = 0
        self._best: float | None = None
        self._last_improvement: float | None = None

    def update(self, value: float) -> None:
        """Take one validation into account."""
        self._validations += 1
        if improves(value, self._best, self._mode):
            self._best = value
        if improves(value, self._last_improvement, self._mode, self._config.min_delta):
            self._last_improvement = value
            self._without_improvement = 0
        elif self._validations % self._config.check_every == 0 and self._patience_counts():
            self._without_improvement += 1

    def reason(self) -> str | None:
        """Why it is time to stop, if it is."""
        name, patience, enough = f"val_{self._monitor}", self._config.patience, self._good_enough()
        if enough is not None and self._reaches(enough):
            relation = "at least" if self._mode == "max" else "at most"
            return f"{name} is {self._best:g}, which is {relation} {enough:g}"
        if patience is not None and self._without_improvement >= patience:
            every = self._config.check_every
            which = "" if every == 1 else f" (one in {every} counts)"
            return f"{name} has not improved on {self._last_improvement} for {several(patience, 'validation')}{which}"
        return None

    def begin(self, training: Training) -> None:
        """A training that was stopped stays stopped, unless the settings have changed since."""
        training.state.stopped_early = self.reason() or training.state.stopped_early

    def validation_end(self, training: Training, measures: Measures) -> None:
        """Stop or go on.

        Raises:
            TrainingError: the functions of `evaluate.evaluators` do not give the metric.
        """
        values = {**measures.values, **training.extra_measures}
        if self._monitor in values:
            self.update(values[self._monitor])
            training.state.stopped_early = self.reason() or training.state.stopped_early
        elif training.setup.config.evaluate.extended is None:
            raise TrainingError(
                f"callbacks.early_stopping.monitor: no {self._monitor!r} was measured; choose from {', '.join(values)}"
            )

    def state_dict(self) -> dict[str, Any]:
        """What has been seen so far."""
        return {
            "validations": self._validations,
            "without_improvement": self._without_improvement,
            "best": self._best,
            "last_improvement": self._last_improvement,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._validations, self._without_improvement = state["validations"], state["without_improvement"]
        self._best, self._last_improvement = state["best"], state["last_improvement"]

    def _good_enough(self) -> float | None:
        """The threshold that stops at once."""
        return self._config.upper_threshold if self._mode == "max" else self._config.lower_threshold

    def _patience_counts(self) -> bool:
        needed = self._config.lower_threshold if self._mode == "max" else self._config.upper_threshold
        return needed is None or self._reaches(needed)

    def _reaches(self, threshold: float) -> bool:
        if self._best is None:
            return False
        return self._best >= threshold if self._mode == "max" else self._best <= threshold


def make_early_stopping(config: Config) -> EarlyStopping | None:
    """The early stopping that a resolved config asks for."""
    stopping = config.callbacks.early_stopping
    return None if stopping is None else EarlyStopping(stopping)
