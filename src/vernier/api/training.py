"""Training, and what is measured or drawn before it."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vernier.api.configs import ConfigLike, read_config
from vernier.config.checks.schedule import CHECKS as SCHEDULE_CHECKS
from vernier.config.loading import LoadedConfig
from vernier.config.root import Config
from vernier.errors import ConfigError, ConfigProblem
from vernier.training import seeds
from vernier.training.benchmark import Timing
from vernier.training.benchmark import benchmark_pipeline as time_pipeline
from vernier.training.benchmark import benchmark_train as time_train
from vernier.training.find_batch_size import BatchSizeFinding
from vernier.training.find_batch_size import find_batch_size as try_batch_sizes
from vernier.training.find_learning_rate import LearningRateFinding
from vernier.training.find_learning_rate import find_learning_rate as try_learning_rates
from vernier.training.log import logger, logging_to, make_display
from vernier.training.parts import Dataset, open_dataset
from vernier.training.plot_schedule import ScheduleCurve, count_steps, given_steps, schedule_curve
from vernier.training.prepare import prepare_resume
from vernier.training.resolve import resolve
from vernier.training.run_directory import RunDirectory, run_name
from vernier.training.seeds import SeedsEnd
from vernier.training.session import TrainingEnd, run_training, train_prepared
from vernier.training.tuning import tune

if TYPE_CHECKING:
    pass


QUICKSTART: dict[str, Any] = {
    "data": {"source": "digits", "batch_size": 64},
    "model": {"name": "digits_cnn"},
    "optimizer": {"name": "adamw", "lr": 0.01},
    "schedule": {"name": "one_cycle"},
    # A training of seconds can win nothing by measuring.
    "train": {"epochs": 20, "threads": 1, "speed": "off"},
    "augment": {
        "train": [
            {"name": "Translate", "x": 0.1, "y": 0.1},
            {"name": "RandomRotate", "degrees": 10},
            {"name": "Normalize"},
        ]
    },
    "run": {"name": "quickstart", "new": True},
}
"""What `vernier quickstart` trains."""


def train(config: ConfigLike = None, *overrides: str) -> TrainingEnd:
    """Train, or go on with a training of the same config that is unfinished.

    Raises:
        VernierError: anything that the user can mend; `train.seeds`, for which there is `train_seeds`.
    """
    loaded = read_config(config, *overrides)
    if loaded.config.train.seeds is not None:
        raise ConfigError([ConfigProblem("train.seeds", "are several trainings; call api.train_seeds for them")])
    return run_training(loaded)


def train_seeds(config: ConfigLike = None, *overrides: str) -> SeedsEnd:
    """Train once for each seed of `train.seeds`.

    Raises:
        VernierError: anything that the user can mend.
    """
    return seeds.train_seeds(read_config(config, *overrides))


def quickstart(*overrides: str) -> TrainingEnd:
    """Train on the bundled digits, evaluate on their test split, write a report."""
    return train(QUICKSTART, *overrides)


def resume(run: str | Path, *overrides: str) -> TrainingEnd:
    """Go on with a training, with other settings where that makes sense.

    Raises:
        VernierError: not a run, or a setting that can't change.
    """
    directory = RunDirectory(Path(run))
    with logging_to(None):
        prepared = prepare_resume(directory, overrides, make_display())
    return train_prepared(prepared)


def benchmark_train(
    config: ConfigLike = None, *overrides: str, seconds: float = 10, end_to_end: bool = False
) -> Timing:
    """Time training steps on a batch that lies on the device, or with the loader (`end_to_end`)."""
    with logging_to(None):
        return time_train(read_config(config, *overrides), seconds, end_to_end)


def benchmark_pipeline(config: ConfigLike = None, *overrides: str, seconds: float = 10) -> Timing:
    """Time the input pipeline, from files or store to normalised float batches."""
    with logging_to(None):
        return time_pipeline(read_config(config, *overrides), seconds)


def plot_schedule(
    config: ConfigLike = None, *overrides: str, images: int | None = None, steps_per_epoch: int | None = None
) -> ScheduleCurve:
    """The learning rate of every step of a training, without training it.

    Args:
        images: Training images of an epoch; the data is opened to count them when neither this nor
            `steps_per_epoch` is given.
        steps_per_epoch: Optimizer steps.

    Raises:
        ConfigError: the schedule does not fit into the training, or is not known ahead.
    """
    settings = read_config(config, *overrides, checks=SCHEDULE_CHECKS).config
    if steps_per_epoch is not None:
        return schedule_curve(settings, given_steps(settings, steps_per_epoch))
    return schedule_curve(settings, count_steps(settings, images))


def find_batch_size(config: ConfigLike = None, *overrides: str) -> BatchSizeFinding:
    """The largest power of two of images a step that fits the memory, by real steps.

    Raises:
        VernierError: anything that the user can mend; not even the smallest batch fits.
    """
    loaded = read_config(config, *overrides)
    with logging_to(None):
        resolved, dataset = _settle(loaded, {"data.batch_size": 32, "optimizer.lr": 0.0, "train.speed": "off"})
        return try_batch_sizes(resolved, dataset, logger.info)


def find_learning_rate(config: ConfigLike = None, *overrides: str) -> LearningRateFinding:
    """A learning rate for a config, by a range test of real steps.

    Raises:
        VernierError: anything that the user can mend; no learning rate lowers the loss.
    """
    loaded = read_config(config, *overrides)
    with logging_to(None):
        resolved, dataset = _settle(loaded, {"optimizer.lr": 0.0, "train.speed": "off"})
        return try_learning_rates(resolved, dataset, logger.info)


def _settle(loaded: LoadedConfig, not_measured: Mapping[str, Any]) -> tuple[Config, Dataset]:
    """A config without `auto` and its data set; what is `auto` is measured, except for some keys."""
    config = loaded.config
    dataset = open_dataset(config, None)
    resolved = resolve(config, dataset.source, dataset.train_store, run_name(config, loaded.file))
    for key, value in not_measured.items():
        section, name = key.split(".")
        changed = getattr(config, section).model_copy(update={name: value})
        config = config.model_copy(update={section: changed})
    return tune(config, resolved, dataset, logger.info)[0].config, dataset
