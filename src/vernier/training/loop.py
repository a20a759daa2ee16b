"""The training loop."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np
import torch

from vernier.augment.randomness import step_seed
from vernier.config.duration import Duration
from vernier.config.flat import flatten
from vernier.config.settled import settled
from vernier.data.prefetch import on_device
from vernier.errors import TrainingError
from vernier.evaluation.metrics import Measures, mode_of
from vernier.models.freeze import set_training_mode
from vernier.track.csv_tracker import CSVTracker
from vernier.track.tensorboard_tracker import TensorBoardTracker
from vernier.track.tracker import Tracker
from vernier.training.log import Display, logger
from vernier.training.profile import NoProfiler, StepProfiler, make_profiler
from vernier.training.restore import restore, save_state
from vernier.training.run_directory import RunDirectory
from vernier.training.runtime import seed_device
from vernier.training.setup import Setup
from vernier.training.signals import StopRequest, catch_stop_signals
from vernier.training.state import Best, TrainState
from vernier.training.step import StepResult, TrainStep, make_train_step
from vernier.training.stopping import EarlyStopping, improves
from vernier.training.unfreezing import unfrozen_for
from vernier.training.validate import save_model, validate

_EVERY_STEP = Duration(0, "s")
_READ_EVERY = {"cuda": Duration(0.5, "s")}
"""How often losses are read. Reading waits for the device: on a GPU steps are queued meanwhile."""


@dataclass(frozen=True)
class Outcome:
    """How the loop ended: `signal_number` is 0 when training came to its end."""

    state: TrainState
    signal_number: int


def train(setup: Setup, run: RunDirectory, display: Display) -> Outcome:
    """Train from where the run stands to its last epoch, or until a signal asks for an end.

    Raises:
        TrainingError: the loss is not a number.
        RunError: a checkpoint can't be written or read.
    """
    config = setup.config.train
    setup, state = restore(setup, run)
    trackers = _make_trackers(setup, run, state)
    stopping = _make_stopping(setup)
    steps = setup.loader.order.steps_per_epoch
    first = setup.group.rank == 0
    profiler = make_profiler(setup.config, run.path, state.step, steps) if first else NoProfiler()
    with catch_stop_signals() as stop:
        watch = _Watch(stop, trackers, display, profiler)
        try:
            while state.epoch < config.epochs and state.stopped_early is None:
                signal_number = _train_epoch(setup, run, state, watch)
                display.end()
                if signal_number:
                    return Outcome(state, signal_number)
                measures = validate(setup, "val")
                _log_epoch(setup, state, measures, trackers)
                _keep_best(setup, run, state, measures)
                if stopping is not None and measures is not None:
                    stopping.update(state, measures.values)
                state.begin_next_epoch()
                setup = unfrozen_for(setup, state.epoch)
                save_state(setup, run, state)
        finally:
            display.end()
            profiler.close()
            for tracker in trackers:
                tracker.close()
    return Outcome(state, 0)


@dataclass(frozen=True)
class _Watch:
    """Who looks at a training or asks for its end."""

    stop: StopRequest
    trackers: Sequence[Tracker]
    display: Display
    profiler: StepProfiler


def _train_epoch(setup: Setup, run: RunDirectory, state: TrainState, watch: _Watch) -> int:
    """Train the rest of the current epoch; returns the signal that ended it early, or 0."""
    steps = setup.loader.order.steps_per_epoch
    step = make_step(setup)
    save_due = _Timer(setup.config.train.checkpoint_every, steps, setup.total_steps, state.step)
    log_due = _Timer(setup.config.train.log_every, steps, setup.total_steps, state.step)
    read_due = _Timer(_READ_EVERY.get(setup.group.device.type, _EVERY_STEP), steps, setup.total_steps, state.step)
    set_training_mode(setup.model, setup.config.train.freeze_batchnorm)
    watch.display.begin(f"epoch {state.epoch + 1}/{setup.config.train.epochs}", steps)
    unread: list[torch.Tensor] = []
    finite = True
    begin = time.perf_counter()
    for batch in on_device(setup.loader.epoch(state.epoch, state.batch), setup.group.device):
        _set_learning_rate(setup, state.step)
        seed_device(step_seed(setup.config.seed, state.step, setup.group.rank), setup.group.device)
        result = step.forward_backward(batch)
        unread.append(result.sums)
        save, log = save_due.is_due(state.step + 1), state.step == 0 or log_due.is_due(state.step + 1)
        if read_due.is_due(state.step + 1) or save or log or state.batch + 1 == steps or watch.stop.signal_number:
            read_due.restart(state.step + 1)
            finite = _read_sums(unread, state)
        broken, signal_number, due = setup.group.any(not finite, watch.stop.signal_number, save)
        if broken:
            raise _not_finite(setup, state, result, batch.positions)
        step.update()
        watch.profiler.step()
        _count_step(state, batch.global_count)
        now = time.perf_counter()
        state.seconds, begin = state.seconds + now - begin, now
        watch.display.advance(state.batch, f"loss {state.loss_sum / max(state.count, 1):.3f}")
        if log:
            log_due.restart(state.step)
            _log_step(setup, state, result, watch.trackers)
        if signal_number or (due and state.batch < steps):
            _read_sums(unread, state)
            save_due.restart(state.step)
            save_state(setup, run, state)
        if signal_number:
            return int(signal_number)
    return 0


def _count_step(state: TrainState, images: int) -> None:
    state.batch += 1
    state.step += 1
    state.images += images


def _read_sums(unread: list[torch.Tensor], state: TrainState) -> bool:
    """Add the sums of steps to the epoch's, one by one as they came; whether all of them are finite."""
    for loss_sum, correct, count in torch.stack(unread).tolist() if unread else ():
        state.loss_sum += loss_sum
        state.correct += correct
        state.count += int(count)
    unread.clear()
    return isfinite(state.loss_sum)


class _Timer:
    """Tells when a duration has passed since the last restart."""

    def __init__(self, duration: Duration, steps_per_epoch: int, total_steps: int, step: int) -> None:
        self._seconds = duration.value if duration.unit == "s" else None
        self._steps = None if duration.unit == "s" else max(1, duration.steps(steps_per_epoch, total_steps))
        self.restart(step)

    def restart(self, step: int) -> None:
        self._start_step, self._start_time = step, time.perf_counter()

    def is_due(self, step: int) -> bool:
        if self._steps is not None:
            # By the count from the first step, so that an interruption moves nothing.
            return step // self._steps > self._start_step // self._steps
        return self._seconds is not None and time.perf_counter() - self._start_time >= self._seconds


def make_step(setup: Setup) -> TrainStep:
    """The step of a training."""
    return make_train_step(
        setup.fabric, setup.module, setup.optimizer, setup.task, setup.config.train, setup.memory_format
    )


def _make_stopping(setup: Setup) -> EarlyStopping | None:
    config = setup.config.callbacks.early_stopping
    if config is None:
        return None
    return EarlyStopping(config.monitor.removeprefix("val_"), settled(config.mode), config.patience, config.min_delta)


def _make_trackers(setup: Setup, run: RunDirectory, state: TrainState) -> tuple[Tracker, ...]:
    if setup.group.rank != 0:
        return ()
    trackers: tuple[Tracker, ...] = (
        CSVTracker(run.path, state.epoch, state.step),
        TensorBoardTracker(run.events(setup.config.run), state.step),
    )
    for tracker in trackers:
        tracker.start(flatten(setup.config))
    return trackers


def _set_learning_rate(setup: Setup, step: int) -> None:
    factor = setup.parts.learning_rate_factor(step)
    for group, rate in zip(setup.optimizer.param_groups, setup.base_learning_rates, strict=True):
        group["lr"] = rate * factor


def _learning_rate(setup: Setup) -> float:
    return float(setup.optimizer.param_groups[0]["lr"])


def _log_step(setup: Setup, state: TrainState, result: StepResult, trackers: Sequence[Tracker]) -> None:
    loss_sum, _, count = setup.group.sum(*result.sums.tolist())
    values = {"epoch": state.epoch + 1, "lr": _learning_rate(setup), "loss": loss_sum / count}
    for tracker in trackers:
        tracker.log_step(state.step, values)


def _log_epoch(setup: Setup, state: TrainState, measures: Measures | None, trackers: Sequence[Tracker]) -> None:
    loss_sum, correct, count = setup.group.sum(state.loss_sum, state.correct, state.count)
    speed = state.images / state.seconds if state.seconds else 0.0
    values = {"lr": _learning_rate(setup), "train_loss": loss_sum / count, "train_accuracy": correct / count}
    if measures is not None:
        values |= {f"val_{name}": value for name, value in measures.values.items()}
    values |= {"seconds": round(state.seconds, 6), "images_per_second": round(speed, 1)}
    for tracker in trackers:
        tracker.log_epoch(state.epoch + 1, state.step, values)
    text = f"epoch {state.epoch + 1}/{setup.config.train.epochs}: train loss {loss_sum / count:.4f}"
    if measures is not None:
        monitor = setup.config.train.monitor.removeprefix("val_")
        loss, value = measures.values["loss"], measures.values[monitor]
        text += f", val loss {loss:.4f}, val {monitor} {value:.4f} (n={measures.n})"
    logger.info("%s, %.0f images/s", text, speed)


def _keep_best(setup: Setup, run: RunDirectory, state: TrainState, measures: Measures | None) -> None:
    if measures is None:
        return
    monitor = setup.config.train.monitor.removeprefix("val_")
    value = measures.values[monitor]
    state.validation = {"n": measures.n, **measures.values}
    if improves(value, None if state.best is None else state.best.value, mode_of(monitor)):
        state.best = Best(state.epoch + 1, value, state.validation)
        save_model(setup, run, "best", state)


def _not_finite(setup: Setup, state: TrainState, result: StepResult, positions: np.ndarray) -> TrainingError:
    """The error for a loss that is NaN or infinite, with the images that gave it."""
    images = setup.dataset.source.images
    wrong = [int(p) for p, loss in zip(positions, result.sample_losses.tolist(), strict=True) if loss - loss != 0]
    names = [str(images.path(p) or images.key(p)) for p in wrong[:8]]
    listed = "\n".join(f"  {name}" for name in names)
    more = f"\n  and {len(wrong) - len(names)} more" if len(wrong) > len(names) else ""
    return TrainingError(
        f"the loss is not a finite number at step {state.step + 1} (epoch {state.epoch + 1}); "
        f"optimizer.lr is {_learning_rate(setup):g} here. The images of this step that gave it:\n{listed}{more}\n"
        "Try a lower optimizer.lr, a schedule.warmup, train.gradient_clip_norm=1, or train.precision=32-true."
    )
