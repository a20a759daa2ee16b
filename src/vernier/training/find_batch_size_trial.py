"""`python -m vernier.training.find_batch_size_trial DIRECTORY`: real steps at some batch sizes.

They have a process of their own, because a batch that is too large may get it killed, because the peak of a
process's memory can't be measured twice, and because nothing it does then reaches the training.

DIRECTORY holds config.yaml, request.json and image.npy (see `Request`); every trial adds a line to trials.jsonl.
"""

import json
import resource
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, final

import numpy as np
import torch

from vernier.config.loading import load_config
from vernier.config.root import Config
from vernier.data.images import ArrayImages
from vernier.data.loader import Batch
from vernier.data.source import Source
from vernier.data.splits import Split
from vernier.data.store import open_store
from vernier.errors import VernierError
from vernier.models.freeze import set_training_mode
from vernier.training.parts import Dataset, build_parts
from vernier.training.runtime import apply_process_settings, make_fabric
from vernier.training.setup import Setup, build_setup, make_step

CONFIG, REQUEST, IMAGE, TRIALS = "config.yaml", "request.json", "image.npy", "trials.jsonl"

_STEPS: Final = 2
"""The first step makes the optimizer's state; the second has all of it from its start, and is timed."""

_AHEAD: Final = 3
"""Batches that the loader holds beside the one that is trained on: two in its queue, one in the making."""

_SLACK: Final = 768 * 2**20
"""Bytes of data that may be reserved and never touched: the stacks of threads, the top of a heap that is kept."""


@final
@dataclass(frozen=True)
class Request:
    """What the trials need to know of the data set; image.npy holds one of its images, uint8 (H, W, C).

    Attributes:
        sizes: Batch sizes of this process, ascending.
        memory: Bytes that may be taken, None for all that the device has free.
        targets: Two rows of `Source.targets`.
        native_size: Of the source.
    """

    sizes: tuple[int, ...]
    memory: int | None
    class_names: tuple[str, ...]
    targets: list[Any]
    native_size: tuple[int, int] | None

    def to_json(self) -> str:
        """As text that `from_json` reads."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> "Request":
        """What `to_json` was called on."""
        values = json.loads(text)
        size = values["native_size"]
        return Request(
            tuple(values["sizes"]),
            values["memory"],
            tuple(values["class_names"]),
            values["targets"],
            None if size is None else (size[0], size[1]),
        )


@final
@dataclass(frozen=True)
class Measurement:
    """What steps with a batch took.

    Attributes:
        batch_size: Images a step, in this process.
        seconds: Of the last step; None when memory ran out.
        memory: Bytes at the highest, over those before there was a model; None when memory ran out.
        available: Bytes that could be taken.
    """

    batch_size: int
    seconds: float | None
    memory: int | None
    available: int


class _Meter(ABC):
    """Measures how much of a device's memory is taken since it was made."""

    available: int

    @abstractmethod
    def begin(self) -> None:
        """A trial begins."""

    @abstractmethod
    def peak(self) -> int:
        """Bytes at the highest."""


@final
class _ProcessMeter(_Meter):
    """The memory of this process. Trials have to grow, since the system keeps the highest peak only."""

    def __init__(self, available: int) -> None:
        self.available = available
        self._peak, current = ("VmPeak", "VmSize") if limited_address_space() else ("VmHWM", "VmRSS")
        self._start = process_memory(current)
        _limit_data(available + _SLACK)

    def begin(self) -> None:
        """Nothing to do."""

    def peak(self) -> int:
        """See `_Meter.peak`."""
        return max(0, process_memory(self._peak) - self._start)


@final
class _CUDAMeter(_Meter):
    """What torch has reserved on a CUDA device, pieces that it can't use included."""

    def __init__(self, device: torch.device, available: int | None) -> None:
        self._device = device
        free = torch.cuda.mem_get_info(device)[0]
        self.available = free if available is None else min(free, available)

    def begin(self) -> None:
        """Give back what the trial before left."""
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(self._device)

    def peak(self) -> int:
        """See `_Meter.peak`."""
        return torch.cuda.max_memory_reserved(self._device)


def process_memory(field: str) -> int:
    """Bytes of a field of /proc/self/status, such as VmRSS; elsewhere the highest resident size."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        # macOS has no /proc, and counts in bytes.
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


def limited_address_space() -> bool:
    """Whether this process has a limit on its address space (`ulimit -v`)."""
    return resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY


def _limit_data(more: int) -> None:
    """Let allocations fail, rather than the system kill, when this process wants `more` bytes over what it has."""
    if not sys.platform.startswith("linux"):
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limits = [process_memory("VmData") + more, *(limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY)]
    resource.setrlimit(resource.RLIMIT_DATA, (min(limits), hard))


def main() -> int:
    """Run the trials of a directory; returns the exit status."""
    directory = Path(sys.argv[1])
    try:
        config = load_config(directory / CONFIG, (), checks=()).config
        _run(config, Request.from_json((directory / REQUEST).read_text()), directory)
    except VernierError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _run(config: Config, request: Request, directory: Path) -> None:
    apply_process_settings(config)
    dataset = _dataset(request, np.load(directory / IMAGE, allow_pickle=False), config)
    meter = _make_meter(config, request.memory)
    with (directory / TRIALS).open("a") as file:
        for size in request.sizes:
            done = _try(meter, size, partial(_seconds_of_steps, config, dataset, size))
            file.write(json.dumps(asdict(done)) + "\n")
            file.flush()
            if done.memory is None:
                return


def _make_meter(config: Config, memory: int | None) -> _Meter:
    if config.train.accelerator == "cuda":
        return _CUDAMeter(torch.device("cuda", torch.cuda.current_device()), memory)
    if memory is None:
        raise TypeError("the memory that a process may take is measured by the one that starts it")
    return _ProcessMeter(memory)


def _try(meter: _Meter, size: int, steps: Callable[[], float]) -> Measurement:
    meter.begin()
    try:
        seconds = steps()
    except (MemoryError, RuntimeError) as error:
        if not _is_memory(error):
            raise
        return Measurement(size, None, None, meter.available)
    return Measurement(size, seconds, meter.peak(), meter.available)


def _is_memory(error: Exception) -> bool:
    """Whether memory ran out. On a CPU torch raises nothing more telling than RuntimeError."""
    text = str(error)
    words = (
        "can't allocate memory",
        "bad_alloc",
        "out of memory",
        "could not create a memory",
        "can't start new thread",
    )
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(word in text for word in words)


def _dataset(request: Request, image: np.ndarray, config: Config) -> Dataset:
    """A data set of one image, twice."""
    images = ArrayImages(np.stack([image, image]), ("0", "1"), image.shape[2])
    targets = np.array(request.targets, np.uint8 if config.data.task == "multilabel" else np.int64)
    source = Source("trial", images, targets, request.class_names, ("train", "train"), {}, request.native_size, None)
    store = open_store(images, config.data.model_copy(update={"store": "memory"}), 0)
    nobody = np.array([], np.int64)
    return Dataset(source, store, Split(np.arange(2), nobody, nobody), store)


def _seconds_of_steps(config: Config, dataset: Dataset, size: int) -> float:
    """The time of the last of a few steps with a batch of `size`."""
    setup = _set_up(config, dataset, size)
    set_training_mode(setup.model, config.train.freeze_batchnorm)
    step, batch = make_step(setup), _batch(setup, size)
    ahead = [batch.images.clone() for _ in range(_AHEAD if config.data.threads else 0)]
    for _ in range(_STEPS):
        begin = time.perf_counter()
        result = step.forward_backward(batch)
        step.update()
        result.sample_losses.tolist()
        seconds = time.perf_counter() - begin
    del ahead
    return seconds


def _set_up(config: Config, dataset: Dataset, size: int) -> Setup:
    data = config.data.model_copy(update={"batch_size": size})
    parts = build_parts(config.model_copy(update={"data": data}), dataset, lambda text: None)
    fabric = make_fabric(config.train)
    fabric.launch()
    return build_setup(parts, fabric)


def _batch(setup: Setup, size: int) -> Batch:
    """The batch of both images, repeated to `size` rows."""
    both = setup.loader.batch(0, 0)
    rows = torch.arange(size) % len(both.images)
    images = both.images[rows].to(memory_format=setup.memory_format)
    return replace(both, images=images, targets=both.targets[rows], weights=both.weights[rows], global_count=size)


if __name__ == "__main__":
    sys.exit(main())
