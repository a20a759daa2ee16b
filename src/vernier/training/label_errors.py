"""`vernier check --labels`: every image that is not test is judged once, by a network that was not trained on it.

The images are dealt to folds. For each fold a network is trained on the others, as the config has it; the fold's images
stand in that training's test set, so that nothing is chosen by them: neither an epoch nor anything else.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import numpy as np

from vernier.config.data import DataConfig
from vernier.config.loading import LoadedConfig, config_from_mapping, load_config
from vernier.config.root import Config
from vernier.config.writing import config_diff, escaped, write_config
from vernier.data.source import Source
from vernier.data.splits import Split, save_split, split_source
from vernier.data.tables import read_rows
from vernier.errors import RunError
from vernier.evaluation.confident_learning import find_label_errors
from vernier.evaluation.label_gallery import write_gallery
from vernier.evaluation.label_report import LabelReport, check_list, write_list_without, write_suspects
from vernier.scenario.overriding import open_data
from vernier.training.changes import is_identity_free
from vernier.training.label_folds import check_folds, deal_folds, fold_config, fold_split, needs_validation
from vernier.training.log import logger, logging_to, make_display
from vernier.training.prepare import prepare_resume
from vernier.training.run_directory import RunDirectory, run_name
from vernier.training.session import run_training, train_prepared

_BEFORE_PROBABILITIES: Final = 5
"""Columns of a file of predictions before those of the classes."""


@final
@dataclass(frozen=True)
class LabelsEnd:
    """How a check of labels ended.

    Attributes:
        report: None when a signal stopped it.
        fixed: What is said of the list without suspects.
        signal_number: The signal, else 0.
    """

    report: LabelReport | None
    fixed: Any = None
    signal_number: int = 0

    @property
    def exit_status(self) -> int:
        """0, or 128 + the signal's number."""
        return 128 + self.signal_number if self.signal_number else 0


def check_labels(
    what: str | Path | None = None,
    *overrides: str,
    folds: int = 5,
    output: Path | None = None,
    fix: Path | None = None,
    drop: int | None = None,
) -> LabelsEnd:
    """Train `folds` networks, each without a part of the images, and let them judge the labels of that part.

    The same call goes on where it was interrupted; folds that are trained stay as they are.

    Args:
        what: A run, a config file, or anything that `data=` takes.
        overrides: Such as `train.epochs=3`.
        folds: 2 or more; 3 where training needs a validation set.
        output: Where trainings and results are kept; by default `label_check` in the run, or in `run.root/run.name`.
        fix: A list without suspects to write.
        drop: How many images it leaves out instead, the most suspicious.

    Raises:
        ConfigError: too few folds, or a config that is off.
        DataError: the data can't be opened or divided, or no list of it can be written.
        RunError: the directory holds another check.
        VernierError: as of any training.
    """
    loaded, run = _read_what_to_check(what, overrides)
    config = loaded.config
    check_folds(config, folds)
    source = open_data(config)
    if fix is not None:
        check_list(fix, source)
    split = split_source(source, config.data if run is None else _as_split_in(run, config.data))
    fold_of = deal_folds(source, split.test, config.data.split, folds)
    directory = output or _directory(loaded, run)
    _begin(directory, config, source, fold_of)
    for fold in range(folds):
        signal_number = _train(loaded, directory, fold, folds)
        if signal_number:
            return LabelsEnd(None, signal_number=signal_number)
    report = _report(directory, source, split, fold_of)
    write_suspects(report)
    write_gallery(report)
    return LabelsEnd(report, None if fix is None else write_list_without(fix, report, drop))


def _read_what_to_check(what: str | Path | None, overrides: Sequence[str]) -> tuple[LoadedConfig, RunDirectory | None]:
    """The config of a run, of a YAML file, or of what `data=` takes; and the run."""
    if what is None or Path(what).suffix.casefold() in (".yaml", ".yml"):
        return load_config(None if what is None else Path(what), overrides), None
    run = RunDirectory(Path(what))
    if run.config_file.is_file() and run.split_file.is_file():
        return load_config(run.config_file, overrides), run
    return config_from_mapping({"data": {"source": escaped(str(what))}}, overrides), None


def _directory(loaded: LoadedConfig, run: RunDirectory | None) -> Path:
    place = Path(loaded.config.run.root) / run_name(loaded.config, loaded.file) if run is None else run.path
    return place / "label_check"


def _as_split_in(run: RunDirectory, data: DataConfig) -> DataConfig:
    return data.model_copy(update={"split": data.split.model_copy(update={"file": str(run.split_file)})})


def _begin(directory: Path, config: Config, source: Source, fold_of: np.ndarray) -> None:
    """Make the directory, or see that it holds the same check."""
    folds = int(fold_of.max()) + 1
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"can't make {directory}: {error.strerror}; name another place with --output DIR") from None
    _write_settings(directory / "check.yaml", config, folds)
    for fold in range(folds):
        split = fold_split(fold_of, fold, folds, needs_validation(config))
        _write_split(_split_file(directory, fold), source, split)


def _write_settings(file: Path, config: Config, folds: int) -> None:
    split = config.data.split.model_copy(update={"folds": folds, "fold": 0})
    config = config.model_copy(update={"data": config.data.model_copy(update={"split": split})})
    if not file.is_file():
        if any(file.parent.iterdir()):
            raise RunError(f"{file.parent} holds files but is no check of labels; name another place with --output DIR")
        write_config(file, config, {})
    changes = config_diff(load_config(file, (), checks=()).config, config)
    others = [change for change in changes if change.key == "train.epochs" or not is_identity_free(change.key)]
    if others:
        raise RunError(
            f"{file.parent} holds a check with other settings: {'; '.join(map(str, others))}. Give the same ones to go "
            "on with it, or another place with --output DIR"
        )


def _write_split(file: Path, source: Source, split: Split) -> None:
    fresh = file.with_suffix(".new")
    save_split(fresh, source, split)
    if file.is_file() and file.read_bytes() != fresh.read_bytes():
        fresh.unlink()
        raise RunError(
            f"{file.parent} holds a check of other images or labels than there are now; remove it, or name another "
            "place with --output DIR"
        )
    fresh.replace(file)


def _split_file(directory: Path, fold: int) -> Path:
    return directory / f"fold_{fold}.csv"


def _run(directory: Path, fold: int) -> RunDirectory:
    return RunDirectory(directory / f"fold_{fold}")


def _train(loaded: LoadedConfig, directory: Path, fold: int, folds: int) -> int:
    """Train one fold, or the rest of it; returns the number of the signal that stopped it, else 0."""
    run = _run(directory, fold)
    if run.is_finished():
        return 0
    with logging_to(None):
        logger.info("fold %d of %d", fold + 1, folds)
    if (run.path / "request.json").is_file():
        with logging_to(None):
            prepared = prepare_resume(run, (), make_display())
        return train_prepared(prepared).signal_number
    for begun in (run.split_file, run.config_file, run.path / "weights.txt"):
        # Of a training that was killed before it was a run.
        begun.unlink(missing_ok=True)
    return run_training(fold_config(loaded, run.path, _split_file(directory, fold))).signal_number


def _report(directory: Path, source: Source, split: Split, fold_of: np.ndarray) -> LabelReport:
    place_of = {key: position for position, key in enumerate(source.keys())}
    positions, probabilities = [], []
    for fold in range(int(fold_of.max()) + 1):
        for path, values in _predictions(_run(directory, fold)):
            if fold_of[place_of[path]] == fold:
                positions.append(place_of[path])
                probabilities.append(values)
    order = np.argsort(positions)
    checked = np.array(positions)[order]
    errors = find_label_errors(source.targets[checked], np.stack(probabilities)[order])
    return LabelReport(source, split, checked, fold_of[checked], errors, directory)


def _predictions(run: RunDirectory) -> Iterator[tuple[str, np.ndarray]]:
    """Path and probabilities, float32 (C,), of the images that a training held out."""
    _, *rows = read_rows(run.path / "predictions_test.csv", "predictions")
    for row in rows:
        yield row[0], np.array(row[_BEFORE_PROBABILITIES:], np.float32)
