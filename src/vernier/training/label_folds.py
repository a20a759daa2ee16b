"""The trainings of `vernier check --labels`: who is held out of each, and with which settings it trains."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from vernier.config.data import DataConfig, SplitConfig
from vernier.config.flat import overlay
from vernier.config.loading import LoadedConfig, config_from_mapping
from vernier.config.root import Config
from vernier.config.schedule import ReduceOnPlateauConfig
from vernier.config.writing import escaped
from vernier.data.source import Source
from vernier.data.splits import Split, split_source
from vernier.errors import ConfigError, ConfigProblem
from vernier.training.run_directory import run_name

_OFF: Final[dict[str, Any]] = {
    "data.list_ratios": None,
    "data.split.folds": None,
    "data.split.fold": 0,
    "data.split.test": None,
    "data.split.method": "stratified",
    "train.seeds": None,
    "train.fast_dev_run": False,
    "train.overfit_batches": None,
    "train.profile": False,
    "track.mlflow": None,
    "track.tensorboard.images": 0,
    "run.checkpoint_dir": None,
    "run.export_dir": None,
    "run.log_dir": None,
    "run.new": False,
}
"""Settings of a fold's training that are other than the user's."""


def check_folds(config: Config, folds: int) -> None:
    """There are networks to train.

    Raises:
        ConfigError: too few folds.
    """
    least = 3 if needs_validation(config) else 2
    if folds < least:
        why = ": one is held out, one validates for early_stopping or reduce_on_plateau, one trains" * (least == 3)
        raise ConfigError([ConfigProblem("folds", f"must be at least {least}{why}; got {folds}")])


def deal_folds(source: Source, test: np.ndarray, split: SplitConfig, folds: int) -> np.ndarray:
    """The fold of each image, int64 (N,); -1 for test images. Stratified, and no group is divided.

    Args:
        test: Positions, int64.
        split: Its seed and its groups.

    Raises:
        DataError: a class or its groups are too few for so many folds.
    """
    names = np.full(len(source.targets), "", dtype="<U5")
    names[test] = "test"
    undivided = replace(source, split=tuple(names.tolist()))
    of_image = np.full(len(names), -1)
    for fold in range(folds):
        draw = SplitConfig(folds=folds, fold=fold, seed=split.seed, group=split.group)
        of_image[split_source(undivided, DataConfig(split=draw)).val] = fold
    return of_image


def fold_split(of_image: np.ndarray, fold: int, folds: int, validates: bool) -> Split:
    """Who trains and who is held out, as test, with a fold. Where training needs a validation set, the next fold is."""
    val = np.full(len(of_image), False) if not validates else of_image == (fold + 1) % folds
    test = (of_image == fold) | (of_image < 0)
    return Split(np.flatnonzero(~val & ~test), np.flatnonzero(val & ~test), np.flatnonzero(test))


def needs_validation(config: Config) -> bool:
    """Whether a training goes by a validation set while it runs."""
    return config.callbacks.early_stopping is not None or isinstance(config.schedule, ReduceOnPlateauConfig)


def fold_config(loaded: LoadedConfig, directory: Path, split_file: Path) -> LoadedConfig:
    """The config of one fold's training: the user's, with the fold's split and without what only records."""
    places = {
        "run.dir": escaped(str(directory)),
        "run.name": escaped(run_name(loaded.config, loaded.file)),
        "data.split.file": escaped(str(split_file.resolve())),
    }
    return config_from_mapping(overlay(escaped(loaded.given), _OFF | places))
