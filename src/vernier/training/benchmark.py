"""How fast a config trains and feeds on this machine."""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import numpy as np
import torch

from vernier.config.loading import LoadedConfig
from vernier.config.settled import settled
from vernier.data.loader import Batch
from vernier.models.freeze import set_training_mode
from vernier.training.log import logger
from vernier.training.loop import make_step
from vernier.training.parts import build_parts, open_dataset
from vernier.training.resolve import resolve
from vernier.training.run_directory import run_name
from vernier.training.runtime import apply_process_settings, make_fabric
from vernier.training.setup import Setup, build_setup

_WARM_UP = 3


@dataclass(frozen=True)
class Timing:
    """The speed of repeated steps.

    Attributes:
        images_per_second: Images of all timed steps over their time.
        step_ms_p50: Median of the step times, in ms.
        step_ms_p95: 95th percentile of the step times, in ms.
        n: Timed steps.
        batch_size: Images a step.
    """

    images_per_second: float
    step_ms_p50: float
    step_ms_p95: float
    n: int
    batch_size: int

    def to_json(self) -> dict[str, float | int]:
        """The figures by name."""
        return asdict(self)


def benchmark_train(loaded: LoadedConfig, seconds: float, end_to_end: bool) -> Timing:
    """Time optimizer steps.

    Args:
        loaded: The config to measure.
        seconds: How long to measure, after a short warm-up.
        end_to_end: Take each step's batch from the loader, instead of one batch that lies on the device.
    """
    setup = _set_up(loaded)
    set_training_mode(setup.model, setup.config.train.freeze_batchnorm)
    step = make_step(setup)
    batches = _endless(setup)
    batch = next(batches)

    def work() -> int:
        current = next(batches) if end_to_end else batch
        step.forward_backward(current)
        step.update()
        return current.global_count

    return _measure(work, seconds, setup)


def benchmark_pipeline(loaded: LoadedConfig, seconds: float) -> Timing:
    """Time the loader alone: from the store, or from files with `data.store=off`, to normalised float batches."""
    setup = _set_up(loaded)
    batches = _endless(setup)
    return _measure(lambda: next(batches).global_count, seconds, setup)


def _set_up(loaded: LoadedConfig) -> Setup:
    dataset = open_dataset(loaded.config, None)
    config = resolve(loaded.config, dataset.source, dataset.store, run_name(loaded.config, loaded.file)).config
    apply_process_settings(config)
    fabric = make_fabric(config.train)
    fabric.launch()
    return build_setup(build_parts(config, dataset, logger.info), fabric)


def _endless(setup: Setup) -> Iterator[Batch]:
    epoch = 0
    while True:
        yield from setup.loader.epoch(epoch)
        epoch += 1


def _measure(work: Callable[[], int], seconds: float, setup: Setup) -> Timing:
    for _ in range(_WARM_UP):
        work()
    times: list[float] = []
    images = 0
    end = time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        begin = time.perf_counter()
        images += work()
        _wait_for(setup.fabric.device)
        times.append(time.perf_counter() - begin)
    p50, p95 = np.percentile(times, [50, 95]) * 1000
    return Timing(images / sum(times), float(p50), float(p95), len(times), settled(setup.config.data.batch_size))


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
