"""The largest power of two of images a step that fits the memory of the device, found by real steps.

Memory grows by a straight line in the batch size, so two small trials foretell a large one. It is then run all the
same: what is returned has been trained with, backward pass and optimizer included, and stayed within the margin.
Foretelling keeps trials that can't fit from being run at all: on a CPU they could take other processes along.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, final

import numpy as np

from vernier.config.root import Config
from vernier.config.writing import write_config
from vernier.data.available_memory import available_memory
from vernier.errors import TrainingError
from vernier.training.find_batch_size_trial import (
    CONFIG,
    IMAGE,
    REQUEST,
    TRIALS,
    Measurement,
    Request,
    process_memory,
)
from vernier.training.parts import Dataset
from vernier.training.progressive import for_measuring

CEILING: Final = 1024
"""Larger batches are seldom faster, and need another recipe (Keskar et al. 2017; Goyal et al. 2017)."""

MARGIN: Final = 0.8
"""Share of the available memory that steps may take: evaluation, fragments and other programs need some too."""

_FIRST: Final = (4, 16)
_FURTHEST: Final = 16
"""A trial is at most this many times as large as the one before it: a foretelling carries only so far."""

_SMALLEST: Final = 2
"""BatchNorm has no variance over one image."""

_TRIAL: Final = 3
"""How long a trial takes, in steps: one that touches new memory, and one that does not."""

_SECONDS: Final = 60.0
_KILLED: Final = (-signal.SIGKILL, -signal.SIGABRT, -signal.SIGSEGV)


@final
@dataclass(frozen=True)
class BatchSizeTrial:
    """Real steps at one batch size.

    Attributes:
        batch_size: Images a step, over all devices.
        step_seconds: Of one step; None when memory ran out.
        memory: Bytes of one process at the highest, over those before there was a model; None when memory ran out.
        limit: Bytes that one process may take: `MARGIN` of what is available.
    """

    batch_size: int
    step_seconds: float | None
    memory: int | None
    limit: int

    @property
    def fits(self) -> bool:
        """Whether it ran within the limit."""
        return self.memory is not None and self.memory <= self.limit


@final
@dataclass(frozen=True)
class BatchSizeFinding:
    """The batch size found, a phrase that says why, and the trials in the order in which they ran."""

    batch_size: int
    reason: str
    trials: tuple[BatchSizeTrial, ...]

    def to_json(self) -> dict[str, Any]:
        """The fields by name."""
        trials = [{**asdict(trial), "fits": trial.fits} for trial in self.trials]
        return {"batch_size": self.batch_size, "reason": self.reason, "trials": trials}

    def to_text(self) -> str:
        """The batch size as it is given to a training, and why; the trials were told one by one."""
        return f"data.batch_size={self.batch_size}\nreason: {self.reason}"


def find_batch_size(
    config: Config,
    dataset: Dataset,
    say: Callable[[str], None],
    *,
    available: int | None = None,
    seconds: float = _SECONDS,
) -> BatchSizeFinding:
    """The largest power of two of images a step that fits, up to the training images and `CEILING`.

    Trials run in processes of their own: weights, generators and memory of this one stay as they are.

    Args:
        config: Resolved; its `data.batch_size` is not used.
        dataset: One of its training images is what the trials train on.
        say: Told of every trial.
        available: Bytes that a process may take; measured when not given. On a CPU: of the machine, the control
            group and this process's own limits (`ulimit -v`, `-d`), whichever is least.
        seconds: Begin no trial that would end later than this.

    Raises:
        TrainingError: not even the smallest batch fits, or the steps fail for another reason.
    """
    processes = config.train.device_count * config.train.num_nodes
    search = _Search(config, dataset, processes, available or _room(config), time.perf_counter() + seconds)
    trials: list[BatchSizeTrial] = []
    sizes = search.first_sizes()
    while sizes:
        for trial in search.run(sizes):
            say(_describe(trial))
            trials.append(trial)
        sizes = search.next_sizes(trials)
    best = max((trial for trial in trials if trial.fits), key=lambda trial: trial.batch_size, default=None)
    if best is None:
        raise _nothing_fits(trials)
    return BatchSizeFinding(best.batch_size, search.reason(best, trials), tuple(trials))


def _room(config: Config) -> int | None:
    """Bytes that one process of this machine may take; None on CUDA, where the trial itself asks the device."""
    if config.train.accelerator == "cuda":
        return None
    limits = [available_memory() // config.train.device_count]
    for limit, taken in ((resource.RLIMIT_AS, "VmSize"), (resource.RLIMIT_DATA, "VmData")):
        soft = resource.getrlimit(limit)[0]
        if soft != resource.RLIM_INFINITY:
            limits.append(max(0, soft - process_memory(taken)))
    return min(limits)


@final
@dataclass(frozen=True)
class _Search:
    """Which sizes to try, and the trying.

    Attributes:
        processes: That share a batch.
        available: Bytes one of them may take; None to ask the device.
        end: When time is up, by `time.perf_counter`.
    """

    config: Config
    dataset: Dataset
    processes: int
    available: int | None
    end: float

    @property
    def smallest(self) -> int:
        """The smallest power of two that gives every process `_SMALLEST` images."""
        return 1 << (_SMALLEST * self.processes - 1).bit_length()

    @property
    def largest(self) -> int:
        """The largest power of two to think of."""
        images = len(self.dataset.split.train)
        return max(self.smallest, min(CEILING, 1 << images.bit_length() - 1))

    def first_sizes(self) -> list[int]:
        """Two sizes, for a straight line through what they take."""
        wanted = (size * self.smallest // _SMALLEST for size in _FIRST)
        return sorted({min(size, self.largest) for size in wanted})

    def next_sizes(self, trials: Sequence[BatchSizeTrial]) -> list[int]:
        """The size to try next; none when the largest that fits is found, or time is up."""
        failed = [trial.batch_size for trial in trials if not trial.fits]
        top = min([self.largest, *(size // 2 for size in failed)])
        fitting = [trial for trial in trials if trial.fits]
        if not fitting:
            return [top] if top >= self.smallest else []
        best = max(fitting, key=lambda trial: trial.batch_size)
        size = min(top, best.batch_size * _FURTHEST)
        while size > best.batch_size and not (self._may_fit(trials, best, size) and self._in_time(best, size)):
            size //= 2
        return [size] if size > best.batch_size else []

    def _may_fit(self, trials: Sequence[BatchSizeTrial], best: BatchSizeTrial, size: int) -> bool:
        """One measurement does not tell what is there whatever the size, so the next size is tried all the same."""
        alone = sum(trial.memory is not None for trial in trials) == 1
        return _foretold(trials, size) <= best.limit or (alone and size == 2 * best.batch_size)

    def _in_time(self, best: BatchSizeTrial, size: int) -> bool:
        step = (best.step_seconds or 0) * size / best.batch_size
        return time.perf_counter() + _TRIAL * step <= self.end

    def reason(self, best: BatchSizeTrial, trials: Sequence[BatchSizeTrial]) -> str:
        """Why `best` is the answer."""
        steps = -(-len(self.dataset.split.train) // best.batch_size)
        took = f"{_gigabytes(best.memory or 0)} of {_gigabytes(best.limit)} usable, {steps} step(s) an epoch"
        return f"{took}; {self._bound(best, trials)}"

    def _bound(self, best: BatchSizeTrial, trials: Sequence[BatchSizeTrial]) -> str:
        if best.batch_size >= self.largest:
            images = len(self.dataset.split.train)
            return f"{CEILING} is the most" if best.batch_size == CEILING else f"there are {images} training images"
        double = 2 * best.batch_size
        for trial in trials:
            if trial.batch_size == double:
                return (
                    f"{double} ran out of memory"
                    if trial.memory is None
                    else f"{double} took {_gigabytes(trial.memory)}"
                )
        needed = _foretold(trials, double)
        if needed > best.limit:
            return f"{double} would take {_gigabytes(needed)}"
        return f"time was up: steps of {best.batch_size} take {best.step_seconds:.1f} s"

    def run(self, sizes: Sequence[int]) -> list[BatchSizeTrial]:
        """Real steps at ascending sizes, in one process of its own."""
        with tempfile.TemporaryDirectory(prefix="vernier-") as name:
            directory = Path(name)
            self._write_request(directory, sizes)
            self._start(directory)
            lines = (directory / TRIALS).read_text().splitlines() if (directory / TRIALS).exists() else []
        done = {found.batch_size: found for found in (Measurement(**json.loads(line)) for line in lines)}
        trials = [self._trial(size, done.get(self._share(size))) for size in sizes]
        failed = [number for number, trial in enumerate(trials, start=1) if trial.memory is None]
        return trials[: failed[0]] if failed else trials

    def _trial(self, size: int, found: Measurement | None) -> BatchSizeTrial:
        if found is None:
            return BatchSizeTrial(size, None, None, int((self.available or 0) * MARGIN))
        return BatchSizeTrial(size, found.seconds, found.memory, int(found.available * MARGIN))

    def _share(self, size: int) -> int:
        """Images of the process that has most of a batch."""
        return -(-size // self.processes)

    def _write_request(self, directory: Path, sizes: Sequence[int]) -> None:
        source, first = self.dataset.source, int(self.dataset.split.train[0])
        train = self.config.train.model_copy(update={"devices": 1, "num_nodes": 1, "strategy": "single"})
        model = self.config.model.model_copy(update={"pretrained": False, "weights": None})
        data = self.config.data.model_copy(update={"store_dir": str(directory)})
        settings = {"train": train, "model": model, "data": data}
        write_config(directory / CONFIG, for_measuring(self.config).model_copy(update=settings), {})
        request = Request(
            sizes=tuple(self._share(size) for size in sizes),
            memory=self.available,
            class_names=source.class_names,
            targets=[source.targets[first].tolist()] * 2,
            native_size=source.native_size,
        )
        (directory / REQUEST).write_text(request.to_json())
        np.save(directory / IMAGE, self.dataset.train_store[first], allow_pickle=False)

    def _start(self, directory: Path) -> None:
        """Run the trials of a directory; being killed or too slow is a result, any other end is an error."""
        command = [sys.executable, "-m", "vernier.training.find_batch_size_trial", str(directory)]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        patience = max(0.0, self.end - time.perf_counter()) + 2 * _SECONDS
        try:
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, check=False, timeout=patience
            )
        except subprocess.TimeoutExpired:
            return
        if done.returncode != 0 and done.returncode not in _KILLED:
            raise TrainingError(f"a trial step for data.batch_size failed:\n{done.stderr.strip()}")


def _foretold(trials: Sequence[BatchSizeTrial], size: int) -> int:
    """Bytes of a batch by the straight line through the two largest that were measured.

    A line that falls is noise: then, as with one measurement alone, memory counts as proportional to the size.
    """
    measured = sorted((trial.batch_size, trial.memory) for trial in trials if trial.memory is not None)
    last, taken = measured[-1]
    proportional = taken * size // last
    if len(measured) < 2 or measured[-2][1] >= taken:
        return proportional
    before, less = measured[-2]
    return taken + (taken - less) * (size - last) // (last - before)


def _describe(trial: BatchSizeTrial) -> str:
    if trial.memory is None or trial.step_seconds is None:
        return f"batch size {trial.batch_size}: does not fit"
    verdict = "" if trial.fits else ", too much"
    share = f"{_gigabytes(trial.memory)} of {_gigabytes(trial.limit)} usable"
    return f"batch size {trial.batch_size}: {share}{verdict}, {trial.step_seconds:.2f} s a step"


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.2f} GB"


def _nothing_fits(trials: Sequence[BatchSizeTrial]) -> TrainingError:
    least = min(trials, key=lambda trial: trial.batch_size)
    took = "" if least.memory is None else f" (it takes {_gigabytes(least.memory)})"
    return TrainingError(
        f"data.batch_size=auto: not even {least.batch_size} images a step fit into {_gigabytes(least.limit)}{took}; "
        "free some memory, take a smaller model.name or model.input_size, or a device with more"
    )
