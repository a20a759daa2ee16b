"""Runs the measurements: one of each contestant a round, in an order that turns."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from works import Contestant, Work

Measurement = dict[str, float]
_HERE = Path(__file__).parent


@dataclass
class Results:
    """Measurements by work and contestant, one a round; and why some are missing."""

    measured: dict[str, dict[str, list[Measurement]]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def of(self, work: str, contestant: str, measure: str) -> list[float]:
        """One figure of every round."""
        rows = self.measured.get(work, {}).get(contestant, [])
        return [row[measure] for row in rows if measure in row]


def run_rounds(
    works: Sequence[Work], rounds: int, pythons: Mapping[str, Path], timeout: float, save: Callable[[Results], None]
) -> Results:
    """Measure everything `rounds` times; one that fails is left out from there on.

    Args:
        pythons: Interpreter of each script.
        timeout: Seconds that one measurement may take.
        save: Called after each piece of work.
    """
    results = Results()
    for number in range(rounds):
        for work in works:
            for contestant in turned(work.contestants, number):
                _measure_into(results, work, contestant, pythons, timeout)
            save(results)
    return results


def turned(contestants: Sequence[Contestant], number: int) -> list[Contestant]:
    """The order of a round: it starts one further each time."""
    start = number % len(contestants)
    return [*contestants[start:], *contestants[:start]]


def _measure_into(
    results: Results, work: Work, contestant: Contestant, pythons: Mapping[str, Path], timeout: float
) -> None:
    label = f"{work.key}: {contestant.name}"
    if label in results.failed:
        return
    job = {"part": work.part, "python": str(pythons["vernier"]), **work.job, **contestant.job, "started": time.time()}
    try:
        measurement = _measure(pythons[contestant.script], contestant.script, job, timeout)
    except MeasureError as error:
        results.failed[label] = str(error)
        print(f"{label}: failed: {error}", file=sys.stderr, flush=True)
        return
    results.measured.setdefault(work.key, {}).setdefault(contestant.name, []).append(measurement)
    shown = f"{measurement[work.measure]:.4g} {work.measure} ({measurement['wall_seconds']:.0f} s)"
    print(f"{label}: {shown}", file=sys.stderr, flush=True)


class MeasureError(Exception):
    """A measurement did not end well."""


def _measure(python: Path, script: str, job: dict[str, Any], timeout: float) -> Measurement:
    command = [str(python), str(_HERE / f"peer_{script}.py"), json.dumps(job)]
    begin = time.perf_counter()
    # A session of its own, so that a timeout ends its workers too.
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        output, errors = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        process.communicate()
        raise MeasureError(f"not done after {timeout:.0f} s") from None
    wall = time.perf_counter() - begin
    lines = [line for line in output.splitlines() if line.startswith("{")]
    if process.returncode or not lines:
        raise MeasureError((errors.strip().splitlines() or [f"status {process.returncode}"])[-1])
    return with_wall_time(json.loads(lines[-1]), wall, job)


def with_wall_time(measurement: Measurement, wall: float, job: Mapping[str, Any]) -> Measurement:
    """Add the process's wall time; where only some of the epochs ran, `seconds` has the rest at the same pace."""
    found = {**measurement, "wall_seconds": wall}
    if "of" in job:
        missing = job["of"] - job["epochs"]
        found["seconds"] = wall + missing * measurement["epoch_seconds"]
        found["extrapolated_epochs"] = missing
    return found
