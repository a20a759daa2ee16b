"""From what the user asked for to a run directory with a resolved config: a new run, or one that goes on."""

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vernier.config.flat import flatten, overlay
from vernier.config.loading import LoadedConfig, config_from_mapping, load_config, read_config_file
from vernier.config.root import Config
from vernier.config.writing import config_diff, escaped, write_config
from vernier.data.splits import save_split
from vernier.errors import RunError
from vernier.training.callbacks.custom import check_custom_callbacks
from vernier.training.callbacks.extended_validation import check_extended
from vernier.training.changes import is_identity_free, refuse_impossible
from vernier.training.log import Display, logger
from vernier.training.parts import Parts, open_dataset
from vernier.training.resolve import resolve
from vernier.training.run_directory import Request, RunDirectory, create_run, run_name, runs_of
from vernier.training.tuning import tune


@dataclass(frozen=True)
class Prepared:
    """A run that is ready to train.

    Attributes:
        parts: None when there is nothing left to train.
    """

    run: RunDirectory
    parts: Parts | None


def prepare(loaded: LoadedConfig, display: Display) -> Prepared:
    """Find the run that this config means, or make it.

    Which run, first that applies:
    1. `run.dir`, if it is a run;
    2. with `run.new=true`, a new one;
    3. the newest unfinished run of the same name and config, else the newest finished one;
    4. a new one.

    Raises:
        VernierError: anything wrong with config or data, before a directory is made.
    """
    name = run_name(loaded.config, loaded.file)
    run = _existing_run(loaded, name)
    if run is None:
        return _prepare_new(loaded, name, display)
    request = run.read_request()
    new = _with_settings(run, _new_settings(request, loaded))
    return _go_on(run, request, new, display)


def prepare_resume(run: RunDirectory, overrides: Sequence[str], display: Display) -> Prepared:
    """Let a run go on, with other settings from the command line.

    Raises:
        RunError: not a run, or a setting that can't change.
        ConfigError: the overrides are off.
    """
    request = run.read_request()
    loaded = load_config(run.config_file, overrides)
    for note in loaded.notes:
        logger.info("%s", note)
    return _go_on(run, request, loaded.config, display)


def _go_on(run: RunDirectory, request: Request, new: Config, display: Display) -> Prepared:
    with run.lock():
        # Nobody else is training here; the training itself takes the lock again.
        old = load_config(run.config_file, ()).config
    refuse_impossible(config_diff(old, new))
    check_custom_callbacks(new.callbacks.custom)
    if is_done(run, new):
        return Prepared(run, None)
    dataset = open_dataset(new, run.split_file, lambda done, total: _show(display, done, total))
    resolved = resolve(new, dataset.source, dataset.train_store, old.run.name)
    resolved, parts = tune(new, resolved, dataset, logger.info)
    check_extended(resolved.config, dataset.source.class_names)
    changes = config_diff(old, resolved.config)
    for change in changes:
        logger.info("changed: %s", change)
    asked = {change.key: change.new for change in changes if change.new is not None}
    reasons = {key: reason for key, reason in request.reasons.items() if key not in asked} | dict(resolved.reasons)
    run.write_request(Request(overlay(request.given, asked), reasons, request.command))
    write_config(run.config_file, resolved.config, reasons)
    return Prepared(run, parts)


def _with_settings(run: RunDirectory, wanted: Mapping[str, Any]) -> Config:
    """The run's config with other settings; another optimizer or schedule drops the fields of the old one."""
    tree = read_config_file(run.config_file)
    for section in ("optimizer", "schedule"):
        if wanted.get(f"{section}.name", tree[section]["name"]) != tree[section]["name"]:
            tree[section] = {}
    return config_from_mapping(overlay(tree, {key: escaped(value) for key, value in wanted.items()})).config


def is_done(run: RunDirectory, config: Config) -> bool:
    """Whether the run was finished with at least these epochs or steps, or stopped early and still would be."""
    result = run.read_result()
    if result is None or not run.is_finished():
        return False
    still_stopped = bool(result["stopped_early"]) and _what_stops(config) == _what_stops(_config_of(run))
    enough_steps = config.train.max_steps is not None and int(result["steps"]) >= config.train.max_steps
    return still_stopped or enough_steps or int(result["epochs"]) >= config.train.epochs


def _what_stops(config: Config) -> tuple[Any, ...]:
    return config.callbacks, config.train.max_time


def _config_of(run: RunDirectory) -> Config:
    return load_config(run.config_file, ()).config


def _prepare_new(loaded: LoadedConfig, name: str, display: Display) -> Prepared:
    check_custom_callbacks(loaded.config.callbacks.custom)
    dataset = open_dataset(loaded.config, None, lambda done, total: _show(display, done, total))
    resolved = resolve(loaded.config, dataset.source, dataset.train_store, name)
    resolved, parts = tune(loaded.config, resolved, dataset, logger.info)
    check_extended(resolved.config, dataset.source.class_names)
    run = create_run(resolved.config.run, name)
    save_split(run.split_file, dataset.source, dataset.drawn)
    write_config(run.config_file, resolved.config, resolved.reasons)
    if parts.weights is not None:
        (run.path / "weights.txt").write_text(f"{parts.weights}\n\n{parts.weights.details()}\n", encoding="utf-8")
    # Last: a directory without it is not a run.
    run.write_request(Request(loaded.given, dict(resolved.reasons), _command_line()))
    return Prepared(run, parts)


def _show(display: Display, done: int, total: int) -> None:
    if done <= 1:
        display.begin("decoding images", total)
    display.advance(done)
    if done == total:
        display.end()


def _existing_run(loaded: LoadedConfig, name: str) -> RunDirectory | None:
    config = loaded.config.run
    if config.dir is not None:
        return _run_at(config.dir, config.new)
    if config.new:
        return None
    wanted = _identity(loaded.given)
    alike = [run for run in runs_of(config, name) if _identity(run.read_request().given) == wanted]
    unfinished = [run for run in alike if not run.is_finished()]
    candidates = unfinished or alike
    return next((run for run in candidates if _done_epochs(run) <= loaded.config.train.epochs), None)


def find_finished(loaded: LoadedConfig) -> RunDirectory:
    """The run that this config made.

    Raises:
        RunError: It made none, or none that is finished.
    """
    run = _existing_run(loaded, run_name(loaded.config, loaded.file))
    if run is None:
        raise RunError("no run of this config is there yet; train first, or begin the chain with t")
    if not run.is_finished():
        raise RunError(f"{run.path} is not finished; resume it first, or begin the chain with t")
    return run


def _run_at(directory: str, new: bool) -> RunDirectory | None:
    from pathlib import Path

    run = RunDirectory(Path(directory))
    if not (run.path / "request.json").is_file():
        return None
    if new:
        raise RunError(f"run.dir={directory} holds a run already; choose another directory, or leave run.new out")
    return run


def _done_epochs(run: RunDirectory) -> int:
    result = run.read_result()
    return 0 if result is None else int(result["epochs"])


def _identity(given: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in flatten(given).items() if not is_identity_free(key)}


def _new_settings(request: Request, loaded: LoadedConfig) -> dict[str, Any]:
    """Dotted settings that the user gives now and did not give, or gave otherwise, when the run was started.

    `run.dir` is how the run was found, and may have changed since.
    """
    earlier = flatten(request.given)
    missing, found_by = object(), ("run.dir", "run.new")
    given = flatten(loaded.given)
    return {key: value for key, value in given.items() if earlier.get(key, missing) != value and key not in found_by}


def _command_line() -> str:
    return shlex.join(["vernier", *sys.argv[1:]])
