"""The best model so far, kept as a bundle."""

from typing import final

from vernier.evaluation.metrics import Measures, mode_of
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
        monitor = setup.config.train.monitor.removeprefix("val_")
        state.validation = {"n": measures.n, **values}
        best = None if state.best is None else state.best.value
        if improves(values[monitor], best, mode_of(monitor)):
            state.best = Best(training.epoch_number, values[monitor], state.validation, state.step)
            save_model(setup, training.run, "best", state)
