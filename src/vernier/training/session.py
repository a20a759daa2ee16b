"""One training from start to end, in this process or in several."""

import os
import signal
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vernier.config.loading import LoadedConfig, load_config
from vernier.config.root import Config
from vernier.config.settled import settled
from vernier.errors import RunError
from vernier.training.devices import check_devices
from vernier.training.fabric import Fabric
from vernier.training.failing_together import failing_together
from vernier.training.finish import finish, interrupted_result, log_result, write_result
from vernier.training.limits import described_limits
from vernier.training.log import Display, LineDisplay, logger, logging_to, make_display
from vernier.training.loop import train
from vernier.training.parts import Parts, build_parts, open_dataset
from vernier.training.prepare import Prepared, prepare
from vernier.training.run_directory import RunDirectory
from vernier.training.runtime import make_fabric, process_settings
from vernier.training.setup import build_setup
from vernier.training.signals import forward_stop_signals
from vernier.training.torchrun import Torchrun
from vernier.training.tracking import record_end, viewing_commands

_USER_ERROR = 2


@dataclass(frozen=True)
class TrainingEnd:
    """How a training ended.

    Attributes:
        result: The content of result.json.
        signal_number: The signal that stopped it, else 0.
        was_finished: There was nothing left to do.
    """

    run: RunDirectory
    result: dict[str, Any]
    signal_number: int = 0
    was_finished: bool = False

    @property
    def exit_status(self) -> int:
        """0, 128 + the signal's number, or 1 where a file of `export.after_training` could not be made."""
        if self.signal_number:
            return 128 + self.signal_number
        return 0 if self.was_finished else int(any("error" in made for made in self.result.get("exports", ())))


def run_training(loaded: LoadedConfig) -> TrainingEnd:
    """Train what a config asks for: the whole of `vernier train`."""
    torchrun = Torchrun.around_this_process()
    if torchrun is not None:
        return _train_under_torchrun(loaded, torchrun)
    with logging_to(None):
        for note in loaded.notes:
            logger.info("%s", note)
        prepared = prepare(loaded, make_display())
    return train_prepared(prepared)


def train_prepared(prepared: Prepared) -> TrainingEnd:
    """Train in a run that is ready, with as many processes as its config asks for."""
    run, parts = prepared.run, prepared.parts
    if parts is None:
        return _nothing_to_do(run)
    if parts.config.train.device_count * parts.config.train.num_nodes > 1:
        return _launch(run)
    return train_in(run, parts)


def _nothing_to_do(run: RunDirectory) -> TrainingEnd:
    result = run.read_result()
    if result is None:
        raise RunError(f"{run.result_file} can't be read; start again with run.new=true")
    with logging_to(None):
        logger.info(
            "%s is finished (%s): nothing to do. More epochs: train.epochs=N; afresh: run.new=true",
            run.path,
            result["stopped_early"] or f"{result['epochs']} epochs, {result['steps']} steps",
        )
    return TrainingEnd(run, result, was_finished=True)


def train_in(run: RunDirectory, parts: Parts | None = None, fabric: Fabric | None = None) -> TrainingEnd:
    """Train in a run with this process as one of its processes.

    Args:
        run: Ready: its config is resolved.
        parts: When they are built already.
        fabric: When the processes are connected already.
    """
    config = load_config(run.config_file, ()).config
    is_first = os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0")) == "0"
    with process_settings(config), run.lock() if is_first else nullcontext():
        if fabric is None:
            fabric = make_fabric(config.train)
            fabric.launch()
        is_first = fabric.global_rank == 0
        display = make_display() if is_first else LineDisplay()
        log = run.path / "train.log" if is_first else None
        with logging_to(log, quiet=not is_first), failing_together(fabric.world_size):
            return _train_and_finish(run, config, parts, fabric, display)


def _train_and_finish(
    run: RunDirectory, config: Config, parts: Parts | None, fabric: Fabric, display: Display
) -> TrainingEnd:
    logger.info("run directory: %s", run.path)
    if parts is None:
        parts = build_parts(config, open_dataset(config, run.split_file), logger.info)
    setup = build_setup(parts, fabric, display)
    _log_limits(parts)
    outcome = train(setup, run, display)
    if outcome.signal_number:
        result = interrupted_result(setup, run, outcome.state)
        if setup.group.rank == 0:
            write_result(run, result)
            name = signal.Signals(outcome.signal_number).name
            logger.info("stopped by %s at step %d; go on with: vernier resume %s", name, outcome.state.step, run.path)
        return TrainingEnd(run, result, outcome.signal_number)
    result = finish(setup, run, outcome.state)
    if setup.group.rank == 0:
        record_end(run, config, result)
        log_result(result, run)
        result = _with_exports(run, config, result)
        for command in viewing_commands(run, config):
            logger.info("to look at it: %s", command)
    return TrainingEnd(run, result)


def _with_exports(run: RunDirectory, config: Config, result: dict[str, Any]) -> dict[str, Any]:
    """The result with what `export.after_training` made, in result.json too."""
    if not config.export.after_training:
        return result
    from vernier.deploy.export.after_training import export_after_training

    result = {**result, "exports": export_after_training(run, config)}
    write_result(run, result)
    return result


def _log_limits(parts: Parts) -> None:
    config = parts.config
    eval_batch_size = settled(config.data.eval_batch_size)
    for line in described_limits(parts.dataset.split, parts.order, config.train, eval_batch_size):
        logger.info("%s", line)


def _launch(run: RunDirectory) -> TrainingEnd:
    """Train in processes of their own; signals to this process reach them."""
    command = [sys.executable, "-m", "vernier.training.rank", str(run.path)]
    process = subprocess.Popen(command)
    with forward_stop_signals(process) as request:
        status = process.wait()
    result = run.read_result()
    if result is not None and (status == 0 or request.signal_number):
        return TrainingEnd(run, result, request.signal_number)
    if status == _USER_ERROR:
        raise RunError(f"training in {run.path} has ended; what went wrong is said above")
    raise subprocess.CalledProcessError(status, command)


def _train_under_torchrun(loaded: LoadedConfig, torchrun: Torchrun) -> TrainingEnd:
    """Train as one of the processes that torchrun started; the first one prepares the run for all."""
    settings = loaded.config.train.model_copy(
        update={
            "devices": torchrun.processes,
            "num_nodes": torchrun.nodes,
            "strategy": "ddp" if torchrun.processes * torchrun.nodes > 1 else "single",
        }
    )
    check_devices(settings)
    fabric = make_fabric(settings)
    fabric.launch()
    prepared: Prepared | None = None
    try:
        with logging_to(None, quiet=fabric.global_rank != 0):
            if fabric.global_rank == 0:
                prepared = prepare(loaded, make_display())
    finally:
        # Also after an error here, so that the other processes do not wait for ever.
        path, done = fabric.broadcast(
            (None, False) if prepared is None else (str(prepared.run.path), prepared.parts is None)
        )
    if path is None:
        raise RunError("the first process could not prepare the run; it says why")
    run = RunDirectory(Path(path))
    if not done:
        return train_in(run, None if prepared is None else prepared.parts, fabric)
    return _nothing_to_do(run)
