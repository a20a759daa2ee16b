"""`evaluate.extended`: validation on more sets, as `vernier evaluate` would do it."""

import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, final

from vernier.config.data import DataConfig
from vernier.config.evaluate import ExtendedConfig
from vernier.config.root import Config
from vernier.config.settled import settled
from vernier.data.wording import listed
from vernier.errors import ConfigError, ConfigProblem, DataError
from vernier.evaluation.evaluate import evaluate_bundle
from vernier.evaluation.metrics import Measures
from vernier.scenario.overriding import open_data, own_evaluators
from vernier.training.callbacks.callback import Callback, Training
from vernier.training.due import has_come_up
from vernier.training.log import logger
from vernier.training.validate import save_bundle_to


@final
class ExtendedValidation(Callback):
    """Saves a bundle as it would ship and measures it on each set; measures are called `NAME_accuracy` and so on.

    Every process measures by itself, so that all of them know the figures. What falls due between two validations
    comes with the second.
    """

    def __init__(self, config: ExtendedConfig) -> None:
        self._config = config
        self._measured_at = 0

    def validation_end(self, training: Training, measures: Measures) -> None:
        """See `Callback.validation_end`."""
        state, steps = training.state, training.setup.steps
        due = has_come_up(self._config.every, steps, self._measured_at, state.step)
        if training.epoch_number < self._config.from_epoch or not due:
            return
        self._measured_at = state.step
        with tempfile.TemporaryDirectory(prefix="vernier-") as directory:
            bundle = Path(directory) / "bundle"
            save_bundle_to(bundle, training.setup, state)
            for name, place in self._config.data.items():
                training.extra_measures |= _measured(name, place, bundle, training)

    def state_dict(self) -> dict[str, Any]:
        """See `Callback.state_dict`."""
        return {"measured_at": self._measured_at}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See `Callback.load_state_dict`."""
        self._measured_at = state["measured_at"]


def check_extended(config: Config, class_names: Sequence[str]) -> None:
    """Open all sets before anything is trained.

    Raises:
        ConfigError: one can't be opened, or has classes that the training's data does not have.
    """
    extended = config.evaluate.extended
    problems = []
    for name, place in {} if extended is None else extended.data.items():
        message = _problem(_data_config(place, config), config, class_names)
        if message is not None:
            problems.append(ConfigProblem(f"evaluate.extended.data.{name}", message))
    if problems:
        raise ConfigError(problems)


def _problem(data: DataConfig, config: Config, class_names: Sequence[str]) -> str | None:
    try:
        unknown = sorted(set(open_data(config, data).class_names) - set(class_names))
    except DataError as error:
        return str(error)
    return f"{data.source} has classes that are not trained: {listed(unknown)}" if unknown else None


def _data_config(place: str, config: Config) -> DataConfig:
    kept = ("batch_size", "eval_batch_size", "threads", "on_bad_image", "max_pixels", "channels", "task")
    return DataConfig(source=place, **{name: getattr(config.data, name) for name in kept})


def _measured(name: str, place: str, bundle: Path, training: Training) -> Mapping[str, float]:
    config = training.setup.config
    report = evaluate_bundle(
        bundle,
        _data_config(place, config),
        config.evaluate,
        split="all",
        device=str(training.setup.group.device),
        trust=True,
        metrics=config.metrics,
        open_data=partial(open_data, config),
        evaluators=own_evaluators(config),
    )
    values = {f"{name}_{measure}": value for measure, value in report.measures.values.items()}
    if training.is_first:
        monitor = settled(config.train.monitor).removeprefix("val_")
        value = values.get(f"{name}_{monitor}", values[f"{name}_loss"])
        logger.info("%s: %s %.4f (n=%d)", name, monitor, value, report.measures.n)
    return values
