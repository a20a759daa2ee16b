"""Time `vernier quickstart`: until its first training step, and until it is done.

python benchmarks/quickstart.py [RUNS]
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def measure() -> tuple[float, float, float]:
    """Seconds until the first step is logged, seconds in all, test accuracy."""
    with tempfile.TemporaryDirectory() as directory:
        begin = time.perf_counter()
        command = [sys.executable, "-m", "vernier", "quickstart", "--json"]
        process = subprocess.Popen(command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        first = None
        while process.poll() is None:
            if first is None and any(Path(directory).glob("runs/*/*/steps.csv")):
                first = time.perf_counter() - begin
            time.sleep(0.01)
        total = time.perf_counter() - begin
        assert process.stdout is not None
        result = json.loads(process.stdout.read())
        return first or total, total, result["test"]["accuracy"]


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    rows = [measure() for _ in range(runs)]
    for name, column in zip(("first step, s", "all, s", "test accuracy"), zip(*rows, strict=True), strict=True):
        print(f"{name}: median {statistics.median(column):.4g} ({min(column):.4g} to {max(column):.4g}), n = {runs}")


if __name__ == "__main__":
    main()
