"""The best model so far, kept as a bundle."""

from collections.abc import Mapping
from typing import final

from vernier.config.root import Config
from vernier.config.settled import settled
from vernier.errors import TrainingError
from vernier.evaluation.metrics import Measures
from vernier.training.callbacks.callback import Callback, Training
from vernier.training.state import Best
from vernier.training.stopping import improves
from vernier.training.validate import save_model


@final
class KeepBest(Callback):
    """Saves the model whenever `train.monitor` is better than ever before."""

    def validation_end(self, training: Training, measures: Measures) -> None:
        """See `Callback.validation_end`."""
        setup, state = training.setup, training.state
        values = {**measures.values, **training.extra_measures}
        state.validation = {"n": measures.n, **values}
        value = monitored_value(setup.config, values)
        best = None if state.best is None else state.best.value
        if value is not None and improves(value, best, settled(setup.config.train.monitor_mode)):
            state.best = Best(training.epoch_number, value, state.validation, state.step)
            save_model(setup, training.run, "best", state)


def monitored_value(config: Config, values: Mapping[str, float]) -> float | None:
    """The value of `train.monitor`; None where a set of `evaluate.extended` was not measured this time.

    Raises:
        TrainingError: the functions of `evaluate.evaluators` do not give the metric.
    """
    monitor = config.train.monitor.removeprefix("val_")
    if monitor not in values and config.evaluate.extended is None:
        raise TrainingError(f"train.monitor: no {monitor!r} was measured; choose from {', '.join(values)}")
    return values.get(monitor)
