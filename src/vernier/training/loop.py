"""The training loop."""

import time
from contextlib import nullcontext
from dataclasses import dataclass
from math import isfinite

from vernier.augment.randomness import step_seed
from vernier.config.duration import Duration
from vernier.config.settled import settled
from vernier.data.loader import Batch
from vernier.data.prefetch import on_device
from vernier.evaluation.metrics import Measures
from vernier.models.freeze import set_training_mode
from vernier.optim.schedules import set_momentum
from vernier.training.callbacks.build import make_callbacks
from vernier.training.callbacks.callback import Training
from vernier.training.callbacks.callbacks import Callbacks
from vernier.training.due import Timer, comes_up
from vernier.training.log import Display, logger
from vernier.training.not_finite import UnreadSteps, not_finite_error
from vernier.training.restore import restore, save_state
from vernier.training.run_directory import RunDirectory
from vernier.training.runtime import seed_device
from vernier.training.setup import Setup, make_step
from vernier.training.signals import StopRequest, catch_stop_signals
from vernier.training.state import TrainState
from vernier.training.step import StepResult, TrainStep
from vernier.training.unfreezing import unfrozen_for
from vernier.training.validate import split_positions, validate

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
    restored = restore(setup, run)
    training = Training(restored.setup, run, restored.state, display)
    training.learning_rate = settled(setup.config.optimizer.lr) * _factor(training, max(training.state.step - 1, 0))
    callbacks = Callbacks(make_callbacks(training.setup, run, training.state))
    callbacks.load_state_dicts(restored.callbacks)
    with catch_stop_signals() as stop, callbacks.watching(training):
        if training.setup.config.evaluate.before_training and training.state.step == 0:
            logger.info("before training: %s", _in_words(training, _validate(training, callbacks)))
        if training.state.step > training.state.ended_at and _is_last(training):
            # A signal came in the last step of an epoch.
            _end_epoch(training, callbacks)
        while not training.is_over:
            signal_number = _train_epoch(training, callbacks, stop)
            display.end()
            if signal_number:
                return Outcome(training.state, signal_number)
            _end_epoch(training, callbacks)
    return Outcome(training.state, 0)


@dataclass
class _Pace:
    """Within an epoch: when to log and to read losses, what is unread, and since when time counts as training."""

    log: Timer
    read: Timer
    unread: UnreadSteps
    begin: float

    @staticmethod
    def of(setup: Setup, step: int) -> "_Pace":
        every = _READ_EVERY.get(setup.group.device.type, _EVERY_STEP)
        log = Timer(setup.config.train.log_every, setup.steps, step)
        return _Pace(log, Timer(every, setup.steps, step), UnreadSteps(), time.perf_counter())


def _train_epoch(training: Training, callbacks: Callbacks, stop: StopRequest) -> int:
    """Train the rest of the current epoch; returns the signal that ended it early, or 0."""
    setup, state, steps = training.setup, training.state, training.setup.steps
    step = make_step(setup)
    set_training_mode(setup.model, setup.config.train.freeze_batchnorm)
    training.display.begin(f"epoch {state.epoch + 1}/{setup.config.train.epochs}", steps.batches_per_epoch)
    pace = _Pace.of(setup, state.step)
    for batch in on_device(setup.loader.epoch(state.epoch, state.batch), setup.group.device):
        result = _add_gradients(training, step, batch)
        pace.unread.add(state.batch, result)
        state.batch += 1
        state.images += batch.global_count
        if state.batch % steps.accumulate and state.batch < steps.batches_per_epoch:
            continue
        step.update()
        state.step += 1
        now = time.perf_counter()
        state.seconds, pace.begin = state.seconds + now - pace.begin, now
        callbacks.step_end(training, batch, result)
        signal_number = _after_step(training, callbacks, stop, pace, result)
        if signal_number or training.is_over:
            return signal_number
    return 0


def _after_step(training: Training, callbacks: Callbacks, stop: StopRequest, pace: _Pace, result: StepResult) -> int:
    """Read losses, log, validate and save as far as each is due; returns the signal that asks for an end, or 0."""
    setup, state = training.setup, training.state
    log = state.step == 1 or pace.log.is_due(state.step)
    validation = not _is_last(training) and comes_up(setup.config.evaluate.every, setup.steps, state.step)
    asked = training.save_requested or training.stop_requested or stop.signal_number
    if pace.read.is_due(state.step) or log or validation or asked or _is_last(training):
        pace.read.restart(state.step)
        pace.unread.read_into(state)
    broken, signal_number, save, end = setup.group.any(
        not isfinite(state.loss_sum), stop.signal_number, training.save_requested, bool(training.stop_requested)
    )
    if broken:
        raise not_finite_error(training, pace.unread)
    training.display.advance(state.batch, f"loss {state.loss_sum / max(state.count, 1):.3f}")
    if log:
        pace.log.restart(state.step)
        _log_step(training, result, callbacks)
    if validation:
        logger.info("step %d: %s", state.step, _in_words(training, _validate(training, callbacks)))
        set_training_mode(setup.model, setup.config.train.freeze_batchnorm)
        pace.begin = time.perf_counter()
    if signal_number or (save and not _is_last(training)):
        pace.unread.read_into(state)
        save_state(setup, training.run, state, callbacks.state_dicts())
    training.save_requested = False
    if end and not signal_number:
        state.stopped_early = training.stop_requested or "another process asked for it"
        pace.unread.read_into(state)
    return int(signal_number)


def _add_gradients(training: Training, step: TrainStep, batch: Batch) -> StepResult:
    """Forward and backward of one batch; the first one of a step begins it."""
    setup, state = training.setup, training.state
    of_step = setup.steps.batches_of_step(state.batch)
    if state.batch == of_step.start:
        _set_learning_rate(training)
        step.zero_gradients()
    number = state.epoch * setup.steps.batches_per_epoch + state.batch
    seed_device(step_seed(setup.config.seed, number, setup.group.rank), setup.group.device)
    if len(of_step) == 1:
        return step.add_gradients(batch, batch.global_count)
    images = sum(len(setup.loader.order.batch(state.epoch, other)) for other in of_step)
    is_last = state.batch + 1 == of_step.stop
    with nullcontext() if is_last else step.not_yet_exchanged():
        return step.add_gradients(batch, images)


def _is_last(training: Training) -> bool:
    """Whether no other step of this epoch comes."""
    return training.state.batch == training.setup.steps.batches_per_epoch or training.is_over


def _set_learning_rate(training: Training) -> None:
    setup, state = training.setup, training.state
    factor = _factor(training, state.step)
    training.learning_rate = settled(setup.config.optimizer.lr) * factor
    for group, rate in zip(setup.optimizer.param_groups, setup.base_learning_rates, strict=True):
        group["lr"] = rate * factor
    if setup.parts.momentum is not None:
        set_momentum(setup.optimizer, setup.parts.momentum(state.step))


def _end_epoch(training: Training, callbacks: Callbacks) -> None:
    """Validate if it is time, log, and get ready for the next epoch unless this one is unfinished."""
    state, steps = training.state, training.setup.steps
    evaluate = training.setup.config.evaluate
    at_end = evaluate.at_end and (training.is_over or state.epoch + 1 == training.setup.config.train.epochs)
    measures = None
    if state.validated_at != state.step and (at_end or comes_up(evaluate.every, steps, state.step)):
        measures = _validate(training, callbacks)
    _log_epoch(training, measures, callbacks)
    state.ended_at = state.step
    if state.batch == steps.batches_per_epoch:
        state.begin_next_epoch()
        training.setup = unfrozen_for(training.setup, state.epoch)
    save_state(training.setup, training.run, state, callbacks.state_dicts())


def _validate(training: Training, callbacks: Callbacks) -> Measures | None:
    """Measure the model on the validation set, if there is one."""
    training.extra_measures.clear()
    training.state.validated_at = training.state.step
    if len(split_positions(training.setup, "val")) == 0:
        return None
    callbacks.validation_begin(training)
    measures = validate(training.setup, "val")
    callbacks.validation_end(training, measures)
    return measures


def _log_step(training: Training, result: StepResult, callbacks: Callbacks) -> None:
    setup, state = training.setup, training.state
    loss_sum, _, count = setup.group.sum(*result.sums.tolist())
    callbacks.step_logged(training, {"epoch": state.epoch + 1, "lr": training.learning_rate, "loss": loss_sum / count})


def _log_epoch(training: Training, measures: Measures | None, callbacks: Callbacks) -> None:
    setup, state = training.setup, training.state
    loss_sum, correct, count = setup.group.sum(state.loss_sum, state.correct, state.count)
    speed = state.images / state.seconds if state.seconds else 0.0
    values = {"lr": training.learning_rate, "train_loss": loss_sum / count, "train_accuracy": correct / count}
    if measures is not None:
        values |= {f"val_{name}": value for name, value in {**measures.values, **training.extra_measures}.items()}
    values |= {"seconds": round(state.seconds, 6), "images_per_second": round(speed, 1)}
    callbacks.epoch_end(training, values)
    text = f"epoch {state.epoch + 1}/{setup.config.train.epochs}: train loss {loss_sum / count:.4f}, "
    text += "" if measures is None else _in_words(training, measures) + ", "
    logger.info("%s%.0f images/s", text, speed)


def _in_words(training: Training, measures: Measures | None) -> str:
    if measures is None:
        return "no validation set"
    monitor = training.setup.config.train.monitor.removeprefix("val_")
    value = {**measures.values, **training.extra_measures}.get(monitor)
    monitored = "" if value is None else f", val {monitor} {value:.4f}"
    return f"val loss {measures.values['loss']:.4f}{monitored} (n={measures.n})"


def _factor(training: Training, step: int) -> float:
    """What the schedule and the callbacks make of a learning rate."""
    return training.setup.parts.learning_rate_factor(step) * training.state.lr_scale
