"""A learning rate that falls when validation no longer gets better (`schedule=reduce_on_plateau`)."""

from typing import Any, final

from vernier.config.schedule import ReduceOnPlateauConfig
from vernier.config.settled import settled
from vernier.errors import ConfigError, ConfigProblem, TrainingError
from vernier.evaluation.metrics import Measures
from vernier.evaluation.words import several
from vernier.training.callbacks.callback import Callback, Training
from vernier.training.log import logger
from vernier.training.state import TrainState
from vernier.training.stopping import Mode, improves


@final
class ReduceOnPlateau(Callback):
    """Multiplies `state.lr_scale` by `factor` after `patience` validations in a row without improvement.

    As torch.optim.lr_scheduler.ReduceLROnPlateau with an absolute threshold, except that `patience` is the number of
    the validation at which the rate falls, as in Keras, and not one less. Validations during warm-up and hold are not
    counted.

    Args:
        config: With the mode settled.
    """

    def __init__(self, config: ReduceOnPlateauConfig) -> None:
        self._config = config
        self._mode: Mode = settled(config.mode)
        self._monitor = config.monitor.removeprefix("val_")
        self._best: float | None = None
        self._without_improvement = 0
        self._cooling = 0

    def begin(self, training: Training) -> None:
        """Look whether there will be validations.

        Raises:
            ConfigError: there is no validation set.
        """
        if len(training.setup.dataset.split.val) == 0 and training.setup.config.train.overfit_batches is None:
            message = "reduce_on_plateau needs a validation set, and the data has none; set data.split.val=0.2, say"
            raise ConfigError([ConfigProblem("schedule.name", message)])

    def validation_end(self, training: Training, measures: Measures) -> None:
        """Take one validation into account.

        Raises:
            TrainingError: the functions of `evaluate.evaluators` do not give the metric.
        """
        if training.state.step < self._first_step(training):
            return
        values = {**measures.values, **training.extra_measures}
        if self._monitor in values:
            if self.is_time(values[self._monitor]):
                self._reduce(training.state)
        elif training.setup.config.evaluate.extended is None:
            raise TrainingError(f"schedule.monitor: no {self._monitor!r} was measured; choose from {', '.join(values)}")

    def is_time(self, value: float) -> bool:
        """Take one value of the metric into account; whether the learning rate falls now."""
        if improves(value, self._best, self._mode, self._config.min_delta):
            self._best = value
            self._without_improvement = 0
        else:
            self._without_improvement += 1
        if self._cooling:
            self._cooling -= 1
            self._without_improvement = 0
        if self._without_improvement < self._config.patience:
            return False
        self._without_improvement, self._cooling = 0, self._config.cooldown
        return True

    def state_dict(self) -> dict[str, Any]:
        """What has been seen so far."""
        return {"best": self._best, "without_improvement": self._without_improvement, "cooling": self._cooling}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._best, self._cooling = state["best"], state["cooling"]
        self._without_improvement = state["without_improvement"]

    def _first_step(self, training: Training) -> int:
        steps = training.setup.steps
        return sum(each.steps(steps.per_epoch, steps.total) for each in (self._config.warmup, self._config.hold))

    def _reduce(self, state: TrainState) -> None:
        reduced = max(state.lr_scale * self._config.factor, self._config.min_factor)
        if reduced < state.lr_scale:
            state.lr_scale = reduced
            patience, best = self._config.patience, self._best
            logger.info(
                "val_%s has not improved on %s for %s: learning rate at %.4g of optimizer.lr from here on",
                self._monitor, "nothing" if best is None else f"{best:.6g}", several(patience, "validation"), reduced,
            )  # fmt: skip
