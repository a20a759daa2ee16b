"""Vernier through its public command, one measurement a call."""

import csv
import json
import os
import re
import signal
import statistics
import subprocess
import time
from collections.abc import Callable
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from measure import Job, figures, run_job, window_median

CONFIGS = Path(__file__).parent / "configs"
SGD = ("optimizer=sgd", "optimizer.lr=0.01", "optimizer.nesterov=false", "optimizer.weight_decay=0")
_EPOCH_LINE = re.compile(r"^(\S+ \S+) INFO epoch \d+/\d+:", re.MULTILINE)


def call(job: Job, *words: str) -> dict[str, Any]:
    """Run the command; its JSON."""
    command = [job["python"], "-m", "vernier", *words, "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def timed(job: Job, what: str, *words: str) -> dict[str, float]:
    """`vernier benchmark`'s figures."""
    found = call(
        job, "benchmark", what, *words, f"data.batch_size={job['batch_size']}", "--seconds", str(job["seconds"])
    )
    images = found["n"] * job["batch_size"]
    more = {name: found[name] for name in ("wait_share", "step_ms_p50") if found.get(name) is not None}
    return figures(images, images / found["images_per_second"], **more)


def step(job: Job) -> dict[str, float]:
    return timed(job, "train", f"data={job['data']}", f"model={job['model']}", *SGD)


def pipeline(job: Job) -> dict[str, float]:
    config = str(CONFIGS / f"{job['list']}.yaml")
    return timed(job, "pipeline", config, f"data={job['data']}", f"data.store={job['store']}")


def waiting(job: Job) -> dict[str, float]:
    words = (str(CONFIGS / "heavy.yaml"), f"data={job['data']}", f"model={job['model']}", *SGD)
    return timed(job, "train", "--end-to-end", *words)


def epoch(job: Job) -> dict[str, float]:
    """The second epoch of a training of ten, which is then stopped."""
    with TemporaryDirectory() as run:
        words = [str(CONFIGS / "heavy.yaml"), f"data={job['data']}/train", "data.split.val=0", f"model={job['model']}"]
        words += [*SGD, f"data.batch_size={job['batch_size']}", "train.epochs=10"]
        train_until(job, Path(run), words, lambda rows: len(rows) >= 2)
        seconds = _epoch_seconds(Path(run))[1]
    return figures(job["images"], seconds)


def transfer(job: Job) -> dict[str, float]:
    """A head on a frozen backbone in a cache of its own: reading, decoding, features and scoring are all in."""
    with TemporaryDirectory() as directory:
        os.environ["VERNIER_CACHE"] = f"{directory}/cache"
        run = Path(directory, "run")
        words = [str(CONFIGS / "head.yaml"), f"data={job['data']}", f"model.weights={job['weights']}"]
        words += [f"train.epochs={job['epochs']}", f"train.feature_views={job['views']}", f"run.dir={run}"]
        result = call(job, "train", *words, f"train.cache_features={job['cache_features']}")
        stamps = [datetime.fromisoformat(text) for text in _EPOCH_LINE.findall((run / "train.log").read_text())]
    apart = [(later - before).total_seconds() for before, later in pairwise(stamps)]
    accuracy = result["best"]["val"]["accuracy"]
    return {"epoch_seconds": statistics.mean(apart or [0.0]), "accuracy": accuracy, "n": job["epochs"]}


def accuracy(job: Job) -> dict[str, float]:
    """Wall time until an epoch ends with the target's validation accuracy."""
    with TemporaryDirectory() as directory:
        os.environ["VERNIER_CACHE"] = f"{directory}/cache"
        words = [str(CONFIGS / job["config"]), f"data={job['data']}", f"model.weights={job['weights']}"]
        words += [f"train.epochs={job['epochs']}", f"optimizer.lr={job['lr']}"]
        rows = train_until(job, Path(directory, "run"), words, lambda rows: _best(rows) >= job["target"])
        seconds = time.time() - job["started"]
    if _best(rows) < job["target"]:
        raise SystemExit(f"accuracy {_best(rows):.4f} after {len(rows)} epochs, {job['target']} not reached")
    return {"seconds": seconds, "accuracy": _best(rows), "n": len(rows)}


def overhead(job: Job) -> dict[str, float]:
    """Seconds of one step of the digits' network in a real training, by windows of epochs after the first two."""
    with TemporaryDirectory() as run:
        words = [str(CONFIGS / "digits.yaml"), f"train.epochs={job['epochs']}", f"run.dir={run}"]
        result = call(job, "train", *words)
        steps = result["steps"] // result["epochs"]
        each = _epoch_seconds(Path(run))
    return window_median([seconds / steps for seconds in each])


def quickstart(job: Job) -> dict[str, float]:
    begin = time.perf_counter()
    with TemporaryDirectory() as directory:
        result = call(job, "quickstart", f"run.dir={directory}/run")
    return {"seconds": time.perf_counter() - begin, "accuracy": result["test"]["accuracy"], "n": 1}


def train_until(
    job: Job, run: Path, words: list[str], enough: Callable[[list[dict[str, str]]], bool]
) -> list[dict[str, str]]:
    """Train until the rows of metrics.csv are enough, then stop it as Ctrl-C does."""
    command = [job["python"], "-m", "vernier", "train", *words, f"run.dir={run}"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while process.poll() is None and not enough(_rows(run)):
        time.sleep(0.05)
    rows = _rows(run)
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        process.wait()
    if not rows:
        raise SystemExit(f"vernier train ended with status {process.returncode} before its first epoch was over")
    return rows


def _rows(run: Path) -> list[dict[str, str]]:
    try:
        text = (run / "metrics.csv").read_text()
    except FileNotFoundError:
        return []
    whole = text[: text.rfind("\n") + 1]
    return list(csv.DictReader(whole.splitlines()))


def _best(rows: list[dict[str, str]]) -> float:
    return max((float(row["val_accuracy"]) for row in rows), default=0.0)


def _epoch_seconds(run: Path) -> list[float]:
    """Seconds of each epoch's training, scoring excluded: metrics.csv has them summed."""
    sums = [0.0, *(float(row["seconds"]) for row in _rows(run))]
    return [after - before for before, after in pairwise(sums)]


if __name__ == "__main__":
    run_job(
        {
            "step": step,
            "pipeline": pipeline,
            "waiting": waiting,
            "epoch": epoch,
            "transfer": transfer,
            "accuracy": accuracy,
            "overhead": overhead,
            "quickstart": quickstart,
        }
    )
