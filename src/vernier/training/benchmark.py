"""How fast a config trains and feeds on this machine, and where the time goes.

Everything happens within a time that is given beforehand: warm-up, the steps that are timed, and a short pass of its
own for the stages, whose clocks would slow the timed steps down. Only a single step that takes longer than its share
goes beyond it. Opening the data set comes before, and so does what a training measures first (`train.speed=auto`).
"""

import resource
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, final

import numpy as np
import torch

from vernier.config.loading import LoadedConfig
from vernier.config.settled import settled
from vernier.data.feed import StoreFeed
from vernier.data.loader import Batch
from vernier.models.freeze import set_training_mode
from vernier.training.choices import Resolved
from vernier.training.log import logger
from vernier.training.parts import Dataset, Parts, build_parts, open_dataset
from vernier.training.progressive import at_full_size
from vernier.training.resolve import resolve
from vernier.training.run_directory import run_name
from vernier.training.runtime import make_fabric, process_settings
from vernier.training.setup import Setup, build_setup, make_step
from vernier.training.tuning import tune

_STEPS_OF_A_TRAINING: Final = 2000
"""However few images there are: who asks how fast a training is wants the settings of a long one."""

_WARM_UP_STEPS: Final = 3
_WARM_UP_SHARE: Final = 0.2
_STAGE_STEPS: Final = 20
_STAGE_SHARE: Final = 0.2
_ONE_STEP_AT_A_TIME: Final = "in steps of their own, with the batch from the host's memory and a clock between stages"
_ONE_BATCH_AT_A_TIME: Final = "in batches of their own, one at a time, where nothing is prepared ahead"
_SPEED_FIELDS: Final = (
    "precision",
    "fp32_layers",
    "memory_format",
    "compile",
    "allocator",
    "matmul_precision",
    "threads",
)


@final
@dataclass(frozen=True)
class StepTimes:
    """What repeated steps took.

    Attributes:
        images_per_second: Images of all timed steps over their time.
        step_ms_p50: Median of the step times, in ms.
        step_ms_p95: 95th percentile of the step times, in ms.
        n: Timed steps.
        wait_share: Share of the time in which the step waited for its batch; None when there is nothing to wait for.
    """

    images_per_second: float
    step_ms_p50: float
    step_ms_p95: float
    n: int
    wait_share: float | None


@final
@dataclass(frozen=True)
class Timing:
    """The speed of a config.

    Attributes:
        steps: What is asked for.
        batch_size: Images a step.
        stages: Mean ms of each stage of a step, from a pass of its own in which nothing overlaps.
        stages_note: How the stages were measured.
        resident: With `end_to_end`: the same steps on a batch that lies on the device.
        memory_peak_mb: MB (10^6 bytes): of the process at its highest, on CUDA of torch's tensors on the device.
        device: `cpu`, or the GPU's name.
        settings: What was set for speed, by dotted key.
    """

    steps: StepTimes
    batch_size: int
    stages: dict[str, float]
    stages_note: str
    resident: StepTimes | None
    memory_peak_mb: float
    device: str
    settings: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """The figures by name, those of `steps` on top."""
        values = asdict(self)
        return {**values.pop("steps"), **values}

    def to_text(self) -> str:
        """A table for people."""
        return "\n".join(_rows(self))


def benchmark_train(loaded: LoadedConfig, seconds: float, end_to_end: bool) -> Timing:
    """Time optimizer steps.

    Args:
        loaded: The config to measure.
        seconds: For everything after the data set is open.
        end_to_end: Take each step's batch from the loader, and time steps on a batch that lies on the device too.
    """
    with _opened(_tuned(loaded)) as setup:
        return _time_end_to_end(setup, seconds) if end_to_end else _time_resident(setup, seconds)


def benchmark_pipeline(loaded: LoadedConfig, seconds: float) -> Timing:
    """Time the loader alone: from the store, or from files with `data.store=off`, to normalised float batches.

    Nothing else is measured before it: no setting of the training step changes it.
    """
    with _opened(_untuned(loaded)) as setup:
        with closing(_endless(setup)) as batches:
            repeated = _repeat(batches.__next__, lambda batch: None, (1 - _STAGE_SHARE) * seconds, setup)
        stages = _pipeline_stages(setup, _STAGE_SHARE * seconds)
        return _timing(setup, repeated.steps(None), stages, _ONE_BATCH_AT_A_TIME, None)


def _tuned(loaded: LoadedConfig) -> Parts:
    """What a training with this config is made of."""
    dataset = open_dataset(loaded.config, None)
    resolved = _resolved(loaded, dataset)
    _, parts = tune(loaded.config, resolved, dataset, logger.info, steps_at_least=_STEPS_OF_A_TRAINING)
    return parts


def _untuned(loaded: LoadedConfig) -> Parts:
    dataset = open_dataset(loaded.config, None)
    return build_parts(_resolved(loaded, dataset).config, dataset, logger.info)


def _resolved(loaded: LoadedConfig, dataset: Dataset) -> Resolved:
    return resolve(loaded.config, dataset.source, dataset.train_store, run_name(loaded.config, loaded.file))


@contextmanager
def _opened(parts: Parts) -> Iterator[Setup]:
    """A training at full size in a process with its settings."""
    parts = replace(parts, config=at_full_size(parts.config))
    with process_settings(parts.config):
        fabric = make_fabric(parts.config.train)
        fabric.launch()
        setup = build_setup(parts, fabric)
        set_training_mode(setup.model, parts.config.train.freeze_batchnorm)
        yield setup


def _time_resident(setup: Setup, seconds: float) -> Timing:
    batch = setup.loader.batch(0, 0)
    steps = _repeat_resident(setup, batch, (1 - _STAGE_SHARE) * seconds)
    stages = _training_stages(setup, batch, _STAGE_SHARE * seconds)
    return _timing(setup, steps, stages, _ONE_STEP_AT_A_TIME, None)


def _time_end_to_end(setup: Setup, seconds: float) -> Timing:
    share = (1 - _STAGE_SHARE) / 2 * seconds
    with closing(_endless(setup)) as batches:
        repeated = _repeat(batches.__next__, _training(setup), share, setup)
    batch = setup.loader.batch(0, 0)
    resident = _repeat_resident(setup, batch, share)
    stages = _training_stages(setup, batch, _STAGE_SHARE * seconds)
    return _timing(setup, repeated.steps(repeated.wait_share), stages, _ONE_STEP_AT_A_TIME, resident)


def _repeat_resident(setup: Setup, batch: Batch, seconds: float) -> StepTimes:
    resident = _on_device(batch, setup)
    return _repeat(lambda: resident, _training(setup), seconds, setup).steps(None)


def _training(setup: Setup) -> Callable[[Batch], None]:
    step = make_step(setup)

    def train(batch: Batch) -> None:
        step.forward_backward(batch)
        step.update()

    return train


def _endless(setup: Setup) -> Generator[Batch, None, None]:
    epoch = 0
    while True:
        yield from setup.loader.epoch(epoch)
        epoch += 1


def _on_device(batch: Batch, setup: Setup) -> Batch:
    device = setup.fabric.device
    images = batch.images.to(device, memory_format=setup.memory_format)
    return replace(batch, images=images, targets=batch.targets.to(device), weights=batch.weights.to(device))


@final
@dataclass(frozen=True)
class _Repeated:
    """Times of steps in seconds: of getting a batch, and of all; and how many images they had."""

    waits: list[float]
    times: list[float]
    images: int

    @property
    def wait_share(self) -> float:
        return sum(self.waits) / sum(self.times)

    def steps(self, wait_share: float | None) -> StepTimes:
        p50, p95 = np.percentile(self.times, [50, 95]) * 1000
        return StepTimes(self.images / sum(self.times), float(p50), float(p95), len(self.times), wait_share)


def _repeat(get: Callable[[], Batch], use: Callable[[Batch], None], seconds: float, setup: Setup) -> _Repeated:
    """Get and use batches for some seconds, after a warm-up of a few steps that counts in."""
    begin = time.perf_counter()
    end, warm = begin + seconds, begin + _WARM_UP_SHARE * seconds
    for _ in range(_WARM_UP_STEPS):
        use(get())
        if time.perf_counter() > warm:
            break
    waits: list[float] = []
    times: list[float] = []
    images = 0
    now = _clock(setup)
    while not times or now < end:
        start = now
        batch = get()
        waits.append(time.perf_counter() - start)
        use(batch)
        now = _clock(setup)
        times.append(now - start)
        images += batch.global_count
    return _Repeated(waits, times, images)


def _clock(setup: Setup) -> float:
    """The time when all work that was given to the device is done."""
    if setup.fabric.device.type == "cuda":
        torch.cuda.synchronize(setup.fabric.device)
    return time.perf_counter()


def _training_stages(setup: Setup, batch: Batch, seconds: float) -> dict[str, float]:
    """Mean ms of the stages of training steps whose batch comes from the host's memory."""
    step = make_step(setup)
    marks: list[float] = []

    def mark(*_: object) -> None:
        marks.append(_clock(setup))

    def one_step(number: int) -> dict[str, float]:
        marks.clear()
        mark()
        step.forward_backward(batch)
        mark()
        step.update()
        mark()
        start, forward, loss, update, end = marks
        return {
            "host_to_device": forward - start,
            "forward": loss - forward,
            "loss_and_backward": update - loss,
            "optimizer": end - update,
        }

    hooks = [step.module.register_forward_pre_hook(mark), step.module.register_forward_hook(mark)]
    try:
        return _mean_stages(one_step, seconds)
    finally:
        for hook in hooks:
            hook.remove()


def _pipeline_stages(setup: Setup, seconds: float) -> dict[str, float]:
    """Mean ms of the stages of batches; what is not read or drawn is what is left of the whole."""
    loader, store, plan = setup.loader, setup.dataset.train_store, setup.parts.plan
    reads = isinstance(loader.feed, StoreFeed)

    def one_batch(number: int) -> dict[str, float]:
        epoch, place = divmod(number, loader.order.batches_per_epoch)
        start = _clock(setup)
        batch = loader.batch(epoch, place)
        done = _clock(setup)
        if not reads:
            return {"batch": done - start}
        images = [store[int(position)] for position in batch.positions]
        read = time.perf_counter()
        plan.draw(batch.positions, epoch, np.array([image.shape[:2] for image in images]))
        drawn = time.perf_counter()
        rest = max(0.0, done - start - (drawn - done))
        return {"read": read - done, "draws": drawn - read, "warp_colour_and_batch": rest}

    return _mean_stages(one_batch, seconds)


def _mean_stages(one: Callable[[int], dict[str, float]], seconds: float) -> dict[str, float]:
    """Mean ms of each stage over some runs of all stages."""
    end, runs = time.perf_counter() + seconds, [one(0)]
    while len(runs) < _STAGE_STEPS and time.perf_counter() < end:
        runs.append(one(len(runs)))
    return {name: 1000 * sum(run[name] for run in runs) / len(runs) for name in runs[0]}


def _timing(setup: Setup, steps: StepTimes, stages: dict[str, float], note: str, resident: StepTimes | None) -> Timing:
    device = setup.fabric.device
    train, data = setup.config.train, setup.config.data
    settings = {f"train.{name}": getattr(train, name) for name in _SPEED_FIELDS}
    return Timing(
        steps=steps,
        batch_size=settled(data.batch_size),
        stages=stages,
        stages_note=note,
        resident=resident,
        memory_peak_mb=_memory_peak(device) / 1e6,
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        settings={**settings, "data.threads": data.threads, "data.store": data.store},
    )


def _memory_peak(device: torch.device) -> int:
    """Bytes."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _rows(timing: Timing) -> Iterator[str]:
    steps = timing.steps
    yield f"images/s     {steps.images_per_second:10.1f}   n = {steps.n} steps of {timing.batch_size} images"
    yield f"step, p50    {steps.step_ms_p50:10.2f} ms"
    yield f"step, p95    {steps.step_ms_p95:10.2f} ms"
    if steps.wait_share is not None:
        yield f"waiting      {100 * steps.wait_share:10.1f} %    of the time, for data"
    if timing.resident is not None:
        share = 100 * steps.images_per_second / timing.resident.images_per_second
        speed = timing.resident.images_per_second
        yield f"without data {speed:10.1f} images/s on a batch that lies on the device; with data {share:.1f} % of it"
    yield f"memory peak  {timing.memory_peak_mb:10.0f} MB"
    yield f"stages, mean; {timing.stages_note}:"
    for name, milliseconds in timing.stages.items():
        yield f"  {name:22}{milliseconds:10.2f} ms"
    yield f"settings, on {timing.device}:"
    for key, value in timing.settings.items():
        yield f"  {key}={value}"
