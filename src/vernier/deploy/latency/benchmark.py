"""How long trained and exported networks take on this machine, beside each other."""

import math
import platform
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, final

import torch

from vernier.deploy.latency.candidates import Call, Candidate
from vernier.deploy.latency.energy import EnergyCounter
from vernier.deploy.latency.timing import Latency, summarize, time_block
from vernier.evaluation.plain_tables import aligned
from vernier.versions import versions

_WARM_UP: Final = 5
_MOST_IN_A_BLOCK: Final = 25
_FEWEST_ROUNDS: Final = 3
_BLOCK_SECONDS: Final = 0.25


@final
@dataclass(frozen=True)
class LatencyRow:
    """One network with one number of images and threads.

    Attributes:
        name: the network.
        batch_size: images a call.
        threads: threads a call.
        latency: ms a call.
        joules_per_image: of all processor packages; None where the machine does not tell.
    """

    name: str
    batch_size: int
    threads: int
    latency: Latency
    joules_per_image: float | None

    @property
    def images_per_second(self) -> float:
        """Images of all timed calls over their time."""
        return 1000 * self.batch_size / self.latency.mean

    def to_json(self) -> dict[str, Any]:
        """The figures by name."""
        times = {f"{key}_ms" if key != "n" else key: value for key, value in asdict(self.latency).items()}
        energy = {"joules_per_image": self.joules_per_image}
        named = {"name": self.name, "batch_size": self.batch_size, "threads": self.threads}
        return {**named, **times, "images_per_second": self.images_per_second, **energy}


@final
@dataclass(frozen=True)
class HostBenchmark:
    """What was timed, and on what.

    Attributes:
        rows: in the order of batch sizes, threads and networks.
        timed: a sentence on what a call is.
        processor: as the system names it.
        versions: of the packages that compute.
    """

    rows: tuple[LatencyRow, ...]
    timed: str
    processor: str
    versions: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON values."""
        rows = [row.to_json() for row in self.rows]
        return {"rows": rows, "timed": self.timed, "processor": self.processor, "versions": self.versions}

    def to_text(self) -> str:
        """A table for people."""
        head = ("network", "batch", "threads", "p50 ms", "p95 ms", "p99 ms", "images/s", "J/image", "n")
        lines = aligned([head, *map(_cells, self.rows)])
        return "\n".join([*lines, self.timed, f"{self.processor}; {_listed(self.versions)}"])


def benchmark_candidates(
    candidates: Sequence[Candidate],
    batch_sizes: Iterable[int],
    threads: Iterable[int],
    *,
    seconds: float,
    timed: str,
    counter: EnergyCounter | None = None,
) -> HostBenchmark:
    """Time every candidate with every batch size and number of threads, the candidates in turns.

    Args:
        candidates: What to time.
        batch_sizes: Images a call.
        threads: Threads a call; torch's number is restored afterwards.
        seconds: For each candidate in each setting.
        timed: What is said of it.
        counter: Of energy.

    Raises:
        ModelError: A candidate can't take such a batch.
    """
    before = torch.get_num_threads()
    try:
        rows = [
            row
            for batch_size in batch_sizes
            for count in threads
            for row in _time_setting(candidates, batch_size, count, seconds, counter)
        ]
    finally:
        torch.set_num_threads(before)
    return HostBenchmark(tuple(rows), timed, processor_name(), versions())


def processor_name() -> str:
    """The processor as the system names it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123
            names = (line.partition(":")[2].strip() for line in file if line.startswith("model name"))
            return next(names, platform.processor())
    except OSError:
        return platform.processor() or platform.machine()


def _time_setting(
    candidates: Sequence[Candidate], batch_size: int, threads: int, seconds: float, counter: EnergyCounter | None
) -> list[LatencyRow]:
    calls = {candidate.name: candidate.prepare(batch_size, threads) for candidate in candidates}
    times: dict[str, list[float]] = {name: [] for name in calls}
    joules = dict.fromkeys(calls, 0.0)
    plans = {name: _blocks(call, seconds) for name, call in calls.items()}
    for round_number in range(max(rounds for _, rounds in plans.values())):
        for name, call in calls.items():
            block, rounds = plans[name]
            if round_number < rounds:
                joules[name] += _time_block(call, block, times[name], counter)
    return [_row(name, batch_size, threads, times[name], joules[name], counter) for name in calls]


def _blocks(call: Call, seconds: float) -> tuple[int, int]:
    """Calls a block and blocks, so that all of them take about so many seconds."""
    call()
    start = time.perf_counter()
    call()
    one = max(time.perf_counter() - start, 1e-6)
    block = min(max(math.ceil(_BLOCK_SECONDS / one), 1), _MOST_IN_A_BLOCK)
    return block, max(math.ceil(seconds / (one * block)), _FEWEST_ROUNDS)


def _time_block(call: Call, block: int, times: list[float], counter: EnergyCounter | None) -> float:
    """Append the ms of a block of calls to `times`; the energy of the block in joules."""
    for _ in range(min(_WARM_UP, block)):
        call()
    before = None if counter is None else counter.read()
    times += time_block(call, block)
    return 0.0 if counter is None or before is None else counter.joules_since(before)


def _row(
    name: str, batch_size: int, threads: int, times: list[float], joules: float, counter: EnergyCounter | None
) -> LatencyRow:
    energy = None if counter is None else joules / (batch_size * len(times))
    return LatencyRow(name, batch_size, threads, summarize(times), energy)


def _cells(row: LatencyRow) -> tuple[str, ...]:
    times = (f"{value:.2f}" for value in (row.latency.p50, row.latency.p95, row.latency.p99))
    energy = "–" if row.joules_per_image is None else f"{row.joules_per_image:.3f}"
    return (
        *(row.name, str(row.batch_size), str(row.threads), *times),
        *(f"{row.images_per_second:.0f}", energy, str(row.latency.n)),
    )


def _listed(packages: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in packages.items())
