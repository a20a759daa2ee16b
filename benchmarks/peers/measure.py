"""What every measuring script shares: it reads one job from its command line and prints one line of JSON."""

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

WARM_UP = 3
"""Steps that run before anything is timed."""

Job = dict[str, Any]
T = TypeVar("T")


def run_job(parts: dict[str, Callable[[Job], dict[str, float]]]) -> None:
    """Do what the job on the command line asks for and print its figures."""
    job: Job = json.loads(sys.argv[1])
    print(json.dumps(parts[job["part"]](job)), flush=True)


def figures(images: int, seconds: float, **more: float) -> dict[str, float]:
    """One measurement: `n` images in `seconds`."""
    return {"images_per_second": images / seconds, "seconds": seconds, "n": images, **more}


def repeat(work: Callable[[], int], seconds: float) -> dict[str, float]:
    """Time `work`, which returns how many images it did, for so long, after a warm-up."""
    for _ in range(WARM_UP):
        work()
    images, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < seconds:
        images += work()
    return figures(images, time.perf_counter() - begin)


def endless(batches: Iterable[T]) -> Iterator[T]:
    """Epoch after epoch."""
    while True:
        yield from batches


def window_median(epochs: list[float], window: int = 8) -> dict[str, float]:
    """Median over windows of the mean over their epochs, the first two epochs left out.

    metrics.csv has whole milliseconds; over a window they no longer matter.
    """
    timed = epochs[2:]
    means = [statistics.mean(timed[place : place + window]) for place in range(0, len(timed), window)]
    return {"seconds": statistics.median(means), "n": len(timed)}
