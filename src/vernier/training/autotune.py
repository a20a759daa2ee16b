"""Finding the fastest way to run a training's own steps on this machine.

Starting from plain fp32, one setting after the other is changed and kept where a few real steps of the real model on a
real batch are faster. Everything happens on copies: weights, generators and counters are afterwards as they were.
"""

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import isfinite
from statistics import median
from typing import Final, Literal, final

import torch

from vernier.augment.randomness import step_seed
from vernier.config.settled import settled
from vernier.config.train import TrainConfig
from vernier.data.loader import Batch
from vernier.models.freeze import set_training_mode
from vernier.optim.optimizers import make_optimizer
from vernier.training.allocator import is_kept
from vernier.training.compilation import CompiledForFullBatches
from vernier.training.parts import Parts, memory_format
from vernier.training.runtime import make_fabric, process_settings, seed_device
from vernier.training.slow_layers import find_slow_layers, keep_in_fp32
from vernier.training.speed import Speed, choices, with_train
from vernier.training.step import make_train_step

TOLERANCE: Final = 0.02
"""A setting is out when its first loss is off fp32's by more than this share (of 1 at least), or any is not finite."""

SHARE: Final = 0.05
LIMIT: Final = 60.0
"""Measuring takes at most this share of the estimated training time, and at most so many seconds."""

_GAIN: Final = 1.03
_MIN_STEPS: Final = 150
_TIMED: Final = 3
_SHORT: Final = 0.2
_LONG: Final = 3.0
_MOST: Final = 50
_HOPELESS: Final = 1.7
_COMPILE_SECONDS_PER_PARAMETER_TENSOR: Final = 0.4


@final
@dataclass(frozen=True)
class Trial:
    """A few steps with some settings.

    Attributes:
        seconds: Median time of a step; None when the settings failed.
        n: Timed steps.
        losses: Of each step, the warm-up first.
        problem: Why the settings are out, else empty.
    """

    speed: Speed
    seconds: float | None
    n: int
    losses: tuple[float, ...]
    problem: str = ""


@final
@dataclass(frozen=True)
class Autotuned:
    """The settings to train with, and how they were found.

    Attributes:
        reason: A phrase for the resolved config.
        measured_seconds: Time that the search took.
        step_seconds: Of a step with the chosen settings.
    """

    speed: Speed
    trials: tuple[Trial, ...]
    reason: str
    measured_seconds: float
    step_seconds: float | None

    def table(self, batch_size: int) -> Iterator[str]:
        """A line a trial."""
        for trial in self.trials:
            rate = "" if trial.seconds is None else f"{batch_size / trial.seconds:9.1f} images/s (n={trial.n})"
            mark = "*" if trial.speed == self.speed else " "
            yield f"  {mark} {trial.speed!s:55} {rate} {trial.problem}".rstrip()


def why_not(asked: TrainConfig, parts: Parts, total_steps: int) -> str:
    """Why there is nothing to measure; empty when there is."""
    if not tuple(choices(asked, settled(parts.config.train.accelerator))) and not _may_leave_out(asked, parts):
        return "everything is given"
    return "" if total_steps >= _MIN_STEPS else f"not measured: {total_steps} steps are too few to win the time back"


def _may_leave_out(asked: TrainConfig, parts: Parts) -> bool:
    """Whether half precision is asked for, and which layers to leave out of it is not."""
    given = asked.precision != "auto" and settled(parts.config.train.precision).endswith("-mixed")
    return given and asked.fp32_layers == "auto"


def autotune(asked: TrainConfig, parts: Parts, batch: Batch, total_steps: int) -> Autotuned:
    """Choose among the settings that `asked` leaves to Vernier.

    Args:
        asked: `train` as the user wrote it.
        parts: Of the resolved config, whose settings stand in for what is not chosen.
        batch: A full batch of one process.
        total_steps: Steps of the whole training, for the bound on the time.
    """
    begin = time.perf_counter()
    start = replace(Speed.of(parts.config), allocator=_first_allocator(asked))
    if reason := why_not(asked, parts, total_steps):
        return Autotuned(Speed.of(parts.config), (), reason, 0.0, None)
    # Once is enough for what is there to be compared with; every second counts for what may be chosen.
    first = measure(parts, start, batch, slowest=0.0 if start.allocator == "system" else float("inf"))
    if first.seconds is None:
        return Autotuned(Speed.of(parts.config), (), f"not measured: {first.problem}", 0.0, None)
    search = _Search(parts, batch, total_steps, begin, [first])
    for choice in choices(asked, settled(parts.config.train.accelerator)):
        for value in choice.values:
            speed = replace(search.best.speed, **{choice.field: value})
            leave_out = choice.field == "precision" and asked.fp32_layers == "auto"
            search.consider(replace(speed, fp32_layers=search.slow_layers()) if leave_out else speed)
    if _may_leave_out(asked, parts):
        search.consider(replace(search.best.speed, fp32_layers=search.slow_layers()))
    spent = time.perf_counter() - begin
    return Autotuned(search.best.speed, tuple(search.trials), search.reason(), spent, search.best.seconds)


def _first_allocator(asked: TrainConfig) -> Literal["keep", "system"]:
    """What a process that keeps memory already can't show is how it would be without."""
    return ("keep" if is_kept() else "system") if asked.allocator == "auto" else asked.allocator


@dataclass
class _Search:
    parts: Parts
    batch: Batch
    total_steps: int
    begin: float
    trials: list[Trial]

    @property
    def best(self) -> Trial:
        return self._best_of(self.trials)

    @staticmethod
    def _best_of(trials: list[Trial]) -> Trial:
        """The fastest; what is exact gives way only to a clear gain."""
        best = trials[0]
        for trial in trials[1:]:
            if trial.problem or trial.seconds is None:
                continue
            gain = _GAIN if best.speed.is_exact and not trial.speed.is_exact else 1.0
            if _seconds(best) > _seconds(trial) * gain:
                best = trial
        return best

    def consider(self, speed: Speed) -> None:
        if any(trial.speed == speed for trial in self.trials):
            return
        left = self._budget() - (time.perf_counter() - self.begin)
        needed = (1 + _TIMED) * _seconds(self.best) + (_compile_seconds(self.parts) if speed.compile else 0.0)
        if needed > left:
            self.trials.append(Trial(speed, None, 0, (), f"not tried: about {needed:.0f} s, {max(left, 0):.0f} s left"))
            return
        self.trials.append(self._checked(measure(self.parts, speed, self.batch, slowest=_seconds(self.best))))

    def slow_layers(self) -> tuple[str, ...]:
        """Layers to leave out of half precision, as far as there is time to look for them."""
        on_cpu = settled(self.parts.config.train.accelerator) == "cpu"
        return _slow_layers(self.parts, self.batch) if on_cpu and self._has_time(_seconds(self.best)) else ()

    def _has_time(self, seconds: float) -> bool:
        return time.perf_counter() - self.begin + seconds < self._budget()

    def _budget(self) -> float:
        return min(LIMIT, SHARE * self.total_steps * _seconds(self.best))

    def _checked(self, trial: Trial) -> Trial:
        exact = self.trials[0].losses
        if not all(isfinite(loss) for loss in trial.losses):
            return replace(trial, problem="out: the loss is not finite")
        # After an update two fp32 runs differ too, as Adam's first steps go by the sign of every gradient.
        if trial.losses and abs(trial.losses[0] - exact[0]) > TOLERANCE * max(1.0, abs(exact[0])):
            return replace(trial, problem=f"out: loss {trial.losses[0]:.4f} where fp32 has {exact[0]:.4f}")
        return trial

    def reason(self) -> str:
        measured = [trial for trial in self.trials if trial.seconds is not None]
        fastest, plain = self.best, self.trials[0]
        gain = _seconds(plain) / _seconds(fastest)
        return f"the fastest of {len(measured)} measured: {gain:.2f} times {plain.speed}"


def _slow_layers(parts: Parts, batch: Batch) -> tuple[str, ...]:
    model = copy.deepcopy(parts.model).to(memory_format=memory_format(parts.config))
    set_training_mode(model, parts.config.train.freeze_batchnorm)
    with torch.random.fork_rng(()):
        return find_slow_layers(model, batch.images)


def _seconds(trial: Trial) -> float:
    return float("inf") if trial.seconds is None else trial.seconds


def _compile_seconds(parts: Parts) -> float:
    return _COMPILE_SECONDS_PER_PARAMETER_TENSOR * sum(1 for _ in parts.model.parameters())


def measure(parts: Parts, speed: Speed, batch: Batch, slowest: float = float("inf")) -> Trial:
    """Time steps of a copy of the model with some settings.

    Args:
        parts: Whose model is copied.
        speed: The settings.
        batch: What every step trains on.
        slowest: Seconds of a step with the best settings so far; far slower ones are given up early.
    """
    config = with_train(parts.config, **speed.settings(), devices=1, num_nodes=1, strategy="single")
    devices = range(torch.cuda.device_count())
    with torch.random.fork_rng(devices), process_settings(config):
        try:
            return _time_steps(_make_work(replace(parts, config=config), batch), speed, slowest)
        except RuntimeError as error:
            # Out of memory, a compiler that is missing or fails, a kernel that does not exist: the setting is out.
            return Trial(speed, None, 0, (), f"out: {str(error).strip().splitlines()[0][:80]}")


def _make_work(parts: Parts, batch: Batch) -> Callable[[int], float]:
    """A function that does one step of a copy of the model and returns its loss when all work is done."""
    config = parts.config
    fabric = make_fabric(config.train)
    fabric.launch()
    model = copy.deepcopy(parts.model).to(memory_format=memory_format(config))
    optimizer = make_optimizer(model, config.optimizer)
    keep_in_fp32(model, settled(config.train.fp32_layers))
    compiled = settled(config.train.compile)
    trained = CompiledForFullBatches(model, len(batch.positions), fabric.device) if compiled else model
    module, wrapped = fabric.setup(trained, optimizer)
    set_training_mode(model, config.train.freeze_batchnorm)
    step = make_train_step(fabric, module, wrapped, parts, memory_format(config))
    rates = [group["lr"] for group in wrapped.param_groups]

    def work(number: int) -> float:
        for group, rate in zip(wrapped.param_groups, rates, strict=True):
            group["lr"] = rate * parts.learning_rate_factor(number)
        seed_device(step_seed(config.seed, number, 0), fabric.device)
        result = step.forward_backward(batch)
        step.update()
        # The loss is only there when the device has come so far; the update that follows is the next step's wait.
        return float(result.loss_sum) / len(batch.positions)

    return work


def _time_steps(work: Callable[[int], float], speed: Speed, slowest: float) -> Trial:
    losses = [work(0)]
    times: list[float] = []
    while (len(times) < _TIMED and sum(times) < _LONG) or (sum(times) < _SHORT and len(times) < _MOST):
        begin = time.perf_counter()
        losses.append(work(1 + len(times)))
        times.append(time.perf_counter() - begin)
        if min(times) > _HOPELESS * slowest:
            break
    return Trial(speed, median(times), len(times), tuple(losses))
