"""Figures of a run's ONNX files: int8 against float, file against bundle, and how soon an answer comes.

    vernier quantize RUN
    python benchmarks/deployment.py RUN --image PHOTO

Speed: the networks of RUN/export/best.onnx and best_int8.onnx in two sessions of one thread, one preprocessed image, in
turns: blocks of 25 calls after 5 that do not count. Agreement: every image of the run's validation set through
`api.predict`, by the bundle and by the file. First answer: whole processes of `vernier predict FILE PHOTO`.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from vernier import api
from vernier.config.loading import load_config
from vernier.data.tables import read_rows
from vernier.deploy.export.files import read_onnx
from vernier.deploy.export.wrap import unwrap_network
from vernier.deploy.latency.candidates import OnnxCandidate
from vernier.deploy.latency.timing import time_block
from vernier.versions import versions


def speed(run: Path, rounds: int) -> dict:
    calls = {}
    for name in ("best.onnx", "best_int8.onnx"):
        content = unwrap_network(read_onnx(run / "export" / name)).SerializeToString()
        calls[name] = OnnxCandidate(name, content, (0, 0)).prepare(1, 1)
    medians = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            time_block(call, 5)
            medians[name].append(statistics.median(time_block(call, 25)))
    ratios = sorted(a / b for a, b in zip(*medians.values(), strict=True))
    sizes = {name: (run / "export" / name).stat().st_size for name in calls}
    return {
        "ms": {name: round(statistics.median(values), 3) for name, values in medians.items()},
        "ratio": [round(value, 3) for value in (statistics.median(ratios), ratios[0], ratios[-1])],
        "rounds": rounds,
        "bytes": sizes,
        "size_ratio": round(sizes["best_int8.onnx"] / sizes["best.onnx"], 4),
    }


def agreement(run: Path) -> dict:
    root = Path(load_config(run / "config.yaml", ()).config.data.source)
    paths = [root / key for key, _, part in read_rows(run / "split.csv", "split.csv")[1:] if part == "val"]
    found = [api.predict(model, paths).rows for model in (run, run / "export" / "best.onnx")]
    same = [a.prediction == b.prediction for a, b in zip(*found, strict=True)]
    apart = [float(np.abs(a.probabilities - b.probabilities).max()) for a, b in zip(*found, strict=True)]
    return {"n": len(same), "equal": sum(same), "largest_difference": max(apart)}


def first_answer(file: Path, image: Path, rounds: int) -> dict:
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "vernier", "predict", file, image], check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return {"seconds": [round(value, 3) for value in (statistics.median(times), min(times), max(times))], "n": rounds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--image", type=Path)
    parser.add_argument("--rounds", type=int, default=12)
    given = parser.parse_args()
    found = {"speed": speed(given.run, given.rounds), "agreement": agreement(given.run)}
    if given.image is not None:
        found["first_answer"] = {
            name: first_answer(given.run / "export" / name, given.image, 10) for name in ("best.onnx", "best_int8.onnx")
        }
    print(json.dumps({**found, "versions": versions()}, indent=1))


if __name__ == "__main__":
    main()
