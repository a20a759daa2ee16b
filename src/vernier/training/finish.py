"""After the last step: the final bundle, predictions and figures of the best one, result.json, the report."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from safetensors.torch import load_file

from vernier.atomic import write_text_atomically
from vernier.data.splits import class_counts
from vernier.evaluation.metrics import Measures
from vernier.evaluation.pixels import visible
from vernier.evaluation.report import write_report
from vernier.evaluation.tables import write_confusion_matrix, write_per_class, write_predictions
from vernier.models.freeze import count_parameters
from vernier.training.log import logger
from vernier.training.run_directory import RunDirectory
from vernier.training.setup import Setup
from vernier.training.sharding import load_model_state
from vernier.training.state import TrainState
from vernier.training.validate import SplitName, measured, save_model, split_logits, split_positions
from vernier.versions import versions


def finish(setup: Setup, run: RunDirectory, state: TrainState) -> dict[str, Any]:
    """Score the best model, or the final one when there is no validation set, and write everything up.

    Every process calls this and shares the scoring; the first one writes.

    Returns:
        The content of result.json.
    """
    save_model(setup, run, "final", state)
    if state.best is not None:
        _load_best(setup, run)
    measures: dict[str, Measures] = {}
    splits: tuple[SplitName, ...] = ("val", "test")
    for split in splits:
        measured = _score(setup, run, split)
        if measured is not None:
            measures[split] = measured
    result = _result(setup, run, state, measures)
    if setup.group.rank == 0:
        _write_tables(setup, run, measures)
        write_result(run, result)
        write_report(run.path, _Pictures(setup))
    setup.group.barrier()
    return result


def write_result(run: RunDirectory, result: dict[str, Any]) -> None:
    """Write result.json."""
    write_text_atomically(run.result_file, json.dumps(result, indent=1, allow_nan=False, ensure_ascii=False) + "\n")


def interrupted_result(setup: Setup, run: RunDirectory, state: TrainState) -> dict[str, Any]:
    """The content of result.json for a training that a signal stopped."""
    note = "The training was stopped before the end; nothing was scored."
    return _result(setup, run, state, {}) | {"status": "stopped", "test_note": note}


def _load_best(setup: Setup, run: RunDirectory) -> None:
    setup.group.barrier()
    load_model_state(setup.model, load_file(run.bundle(setup.config.run, "best") / "model.safetensors"))


def _score(setup: Setup, run: RunDirectory, split: SplitName) -> Measures | None:
    positions = split_positions(setup, split)
    if len(positions) == 0:
        return None
    logits = split_logits(setup, positions)
    source = setup.dataset.source
    targets = source.targets[positions]
    if setup.group.rank == 0:
        paths = [source.images.key(int(position)) for position in positions]
        write_predictions(run.path / f"predictions_{split}.csv", paths, logits, targets, setup.task)
    return measured(setup, positions, logits)


def _write_tables(setup: Setup, run: RunDirectory, measures: Mapping[str, Measures]) -> None:
    if not measures:
        return
    write_per_class(run.path / "per_class.csv", measures)
    shown = measures.get("test") or measures["val"]
    if shown.confusion is not None:
        write_confusion_matrix(run.path / "confusion_matrix.csv", shown.confusion, setup.task.class_names)


def _result(setup: Setup, run: RunDirectory, state: TrainState, measures: Mapping[str, Measures]) -> dict[str, Any]:
    config, source = setup.config, setup.dataset.source
    best = state.best
    parameters, trainable = count_parameters(setup.model)
    return {
        "status": "finished",
        "name": config.run.name,
        "seed": config.seed,
        "task": setup.task.name,
        "model": {
            "name": config.model.name,
            "provider": config.model.provider,
            "parameters": parameters,
            "trainable": trainable,
        },
        "epochs": state.epoch,
        "steps": state.step,
        "seconds": round(state.seconds, 3),
        "images_per_second": round(state.images / state.seconds, 1) if state.seconds else None,
        "stopped_early": state.stopped_early,
        "classes": list(source.class_names),
        "counts": class_counts(source, setup.dataset.split),
        "data": {
            "source": source.name,
            "content_hash": setup.dataset.store.content_hash,
            "skipped": dict(source.skipped),
            "unreadable": len(setup.dataset.store.bad),
        },
        "best": None
        if best is None
        else {
            "epoch": best.epoch,
            "monitor": config.train.monitor.removeprefix("val_"),
            "val": _json(best.measures),
        },
        "final": {"epoch": state.epoch, "val": None if state.validation is None else _json(state.validation)},
        "test": _measures_json(measures.get("test")),
        "test_note": _test_note(measures, best is not None),
        "command": run.read_request().command,
        "versions": versions(),
        "paths": _paths(setup, run, best is not None),
    }


def _paths(setup: Setup, run: RunDirectory, has_best: bool) -> dict[str, str]:
    bundles = {"final": run.bundle(setup.config.run, "final")}
    if has_best:
        bundles["best"] = run.bundle(setup.config.run, "best")
    paths = {
        name: str(path.relative_to(run.path) if path.is_relative_to(run.path) else path)
        for name, path in bundles.items()
    }
    return {**paths, "report": run.report_file.name, "config": run.config_file.name}


def _measures_json(measures: Measures | None) -> dict[str, Any] | None:
    return None if measures is None else _json({"n": measures.n, **measures.values})


def _json(values: dict[str, float]) -> dict[str, float | None]:
    """JSON has no NaN: a measure that is not defined on this data becomes null."""
    return {name: value if np.isfinite(value) else None for name, value in values.items()}


def _test_note(measures: Mapping[str, Measures], has_best: bool) -> str:
    of = "the best epoch's model" if has_best else "the final model"
    if "test" in measures:
        return f"The test set of {measures['test'].n} images was scored once, with {of}; it chose nothing."
    if has_best:
        return (
            "There is no test set. The best epoch was chosen on the validation set, so its figures are "
            "somewhat optimistic; set data.split.test or data.test for an independent figure."
        )
    return "There is neither a test set nor a validation set: nothing says how good this model is."


class _Pictures:
    """What can be shown of the decoded image of a path in the predictions."""

    def __init__(self, setup: Setup) -> None:
        images = setup.dataset.source.images
        self._store, self._colours = setup.dataset.store, setup.parts.plan.colours
        self._positions = {images.key(index): index for index in range(len(images))}

    def __call__(self, path: str) -> np.ndarray | None:
        position = self._positions.get(path)
        return None if position is None else visible(self._store[position], self._colours)


def log_result(result: dict[str, Any], run: RunDirectory) -> None:
    """Tell the person how it ended."""
    best, test = result["best"], result["test"]
    if result["stopped_early"]:
        logger.info("stopped early: %s", result["stopped_early"])
    if best is not None:
        monitor = best["monitor"]
        logger.info(
            "best epoch %d: val %s %.4f on %d images",
            best["epoch"],
            monitor,
            best["val"][monitor],
            best["val"]["n"],
        )
    if test is not None:
        main = "accuracy" if "accuracy" in test else "macro_f1"
        logger.info("test %s %.4f on %d images", main, test[main], test["n"])
    logger.info("report: %s", run.report_file)
