"""How the processors are shared between the training step and the loader: measured with the real loader."""

import copy
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, final

import torch

from vernier.config.root import Config
from vernier.config.settled import settled
from vernier.models.freeze import set_training_mode
from vernier.training.parts import Parts
from vernier.training.progressive import for_measuring
from vernier.training.runtime import make_fabric, process_settings
from vernier.training.setup import build_setup, make_step
from vernier.training.speed import with_train

_TIMED: Final = 4
_WARM_UP: Final = 2
_SMALL_SHARE: Final = 0.02


@final
@dataclass(frozen=True)
class ThreadTrial:
    """Steps with the loader beside them. `seconds`: of a step, on average."""

    train_threads: int
    data_threads: int
    seconds: float

    def __str__(self) -> str:
        return f"train.threads={self.train_threads} data.threads={self.data_threads}"


@final
@dataclass(frozen=True)
class ThreadSplit:
    """The threads to train with, and how they were found; `trials` is empty when nothing was measured."""

    train_threads: int
    data_threads: int
    trials: tuple[ThreadTrial, ...]
    reason: str

    def table(self, batch_size: int) -> Iterator[str]:
        """A line a trial."""
        for trial in self.trials:
            chosen = (trial.train_threads, trial.data_threads) == (self.train_threads, self.data_threads)
            yield f"  {'*' if chosen else ' '} {trial!s:55} {batch_size / trial.seconds:9.1f} images/s end to end"


def split_threads(asked: Config, parts: Parts, step_seconds: float, seconds: float) -> ThreadSplit:
    """Measure the sensible splits of the processors that `asked` leaves to Vernier.

    Args:
        asked: The config as the user wrote it.
        parts: Of the resolved config, whose threads are all processors of this process.
        step_seconds: Of a step without the loader.
        seconds: Time to spend at most.
    """
    train, data = settled(parts.config.train.threads), settled(parts.config.data.threads)
    if asked.data.threads != "auto" or parts.config.train.cache_features is True:
        return ThreadSplit(train, data, (), "")
    batch_seconds = _batch_seconds(parts)
    if batch_seconds < _SMALL_SHARE * step_seconds:
        reason = f"a batch takes {1e3 * batch_seconds:.1f} ms to prepare, a step {1e3 * step_seconds:.0f} ms"
        return ThreadSplit(train, data, (), reason)
    trials: list[ThreadTrial] = []
    begin = time.perf_counter()
    for candidate in _candidates(train, data, asked.train.threads == "auto"):
        needed = (_WARM_UP + _TIMED) * (step_seconds + batch_seconds)
        if time.perf_counter() - begin + needed > seconds:
            break
        trials.append(_measure(parts, *candidate))
    if len(trials) < 2:
        return ThreadSplit(train, data, (), "as many as compute threads: no time to measure others")
    best = min(trials, key=lambda trial: trial.seconds)
    reason = f"the fastest of {len(trials)} splits measured with the loader"
    return ThreadSplit(best.train_threads, best.data_threads, tuple(trials), reason)


def _candidates(train: int, data: int, free: bool) -> list[tuple[int, int]]:
    """(compute threads, loader threads): everything for both, a quarter for the loader, none of its own."""
    quarter = max(1, data // 4)
    splits = [(train, data), (train, quarter), (train, 0)]
    if free and train > quarter:
        splits.append((train - quarter, quarter))
    return list(dict.fromkeys(splits))


def _batch_seconds(parts: Parts) -> float:
    fabric = make_fabric(with_train(parts.config, devices=1, num_nodes=1, strategy="single").train)
    fabric.launch()
    whole = replace(parts, config=for_measuring(parts.config), model=copy.deepcopy(parts.model))
    loader = build_setup(whole, fabric).loader
    loader.batch(0, 0)
    begin = time.perf_counter()
    loader.batch(0, min(1, loader.order.batches_per_epoch - 1))
    return time.perf_counter() - begin


def _measure(parts: Parts, train_threads: int, data_threads: int) -> ThreadTrial:
    config = with_train(for_measuring(parts.config), threads=train_threads, devices=1, num_nodes=1, strategy="single")
    config = config.model_copy(update={"data": config.data.model_copy(update={"threads": data_threads})})
    with torch.random.fork_rng(range(torch.cuda.device_count())), process_settings(config):
        fabric = make_fabric(config.train)
        fabric.launch()
        setup = build_setup(replace(parts, config=config, model=copy.deepcopy(parts.model)), fabric)
        set_training_mode(setup.model, config.train.freeze_batchnorm)
        step = make_step(setup)
        batches = setup.loader.epoch(0)
        begin, done = time.perf_counter(), 0
        for number, batch in enumerate(batches):
            if number == _WARM_UP:
                begin = time.perf_counter()
            step.forward_backward(batch)
            step.update()
            done = number + 1 - _WARM_UP
            if done == _TIMED:
                break
        seconds = (time.perf_counter() - begin) / max(done, 1)
        del batches
    return ThreadTrial(train_threads, data_threads, seconds)
