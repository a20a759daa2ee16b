"""Times of calls that are short, on a machine that does other things too."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import final

import numpy as np


@final
@dataclass(frozen=True)
class Latency:
    """What a call takes, in ms.

    Attributes:
        p50: Median.
        p95: 95th percentile.
        p99: 99th percentile.
        mean: Of all calls.
        n: Calls.
    """

    p50: float
    p95: float
    p99: float
    mean: float
    n: int


def time_interleaved(
    runs: Mapping[str, Callable[[], object]], *, rounds: int = 4, block: int = 25, warmup: int = 5
) -> dict[str, Latency]:
    """Time several calls against each other.

    In each round every call has a block in a row, so what else the machine does meets them all alike, and each works
    from warm caches as it would alone.

    Args:
        runs: What to call, by name.
        rounds: Blocks of each.
        block: Calls that are timed in a block.
        warmup: Calls before each block that are not.
    """
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            for _ in range(warmup):
                run()
            times[name] += time_block(run, block)
    return {name: summarize(values) for name, values in times.items()}


def summarize(milliseconds: list[float]) -> Latency:
    """The figures of some times."""
    p50, p95, p99 = np.percentile(milliseconds, (50, 95, 99)).tolist()
    return Latency(p50, p95, p99, float(np.mean(milliseconds)), len(milliseconds))


def time_block(run: Callable[[], object], count: int) -> list[float]:
    """ms of each of `count` calls in a row."""
    return [_milliseconds(run) for _ in range(count)]


def _milliseconds(run: Callable[[], object]) -> float:
    start = time.perf_counter_ns()
    run()
    return (time.perf_counter_ns() - start) / 1e6
