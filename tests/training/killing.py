"""Kill a training again and again, at random moments, and start the same command again each time."""

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vernier.track.csv_tracker import read_rows

CHECKPOINT_STEPS = 5


@dataclass(frozen=True)
class Killed:
    """One attempt that was killed: the step it began at and the last step it logged."""

    began: int
    reached: int


TOOLBOX = (
    "model.frozen=backbone",
    "train.unfreeze=[{epoch: 3, layers: all, lr: 0.002}]",
    "train.cache_features=false",
    "train.accumulate=2",
    "train.ema=0.99",
    "train.gradient_clip_norm=1",
    "train.limit_val=50%",
    "optimizer.lookahead.sync_period=3",
    "augment.mix.mixup=0.4",
    "augment.mix.cutmix=1",
    "augment.mix.off_for_last=1ep",
    "data.sampler=square_root",
    "data.batch_size=8",
    "evaluate.every=0.4ep",
    "callbacks.early_stopping.min_delta=0.001",
)
"""Everything that keeps something between steps, or draws by chance."""


def command(root: Path, epochs: int, *more: str) -> list[str]:
    """A training on the digits, with dropout and every kind of random draw."""
    settings = [
        "data=digits",
        "data.batch_size=16",
        "model=digits_cnn",
        "model.dropout=0.1",
        "optimizer=adamw",
        "schedule=one_cycle",
        "train.threads=1",
        f"train.epochs={epochs}",
        f"train.checkpoint_every={CHECKPOINT_STEPS}st",
        "train.log_every=1st",
        "callbacks.early_stopping.patience=1000",
        f"run.root={root}",
    ]
    return [sys.executable, "-m", "vernier", "train", *settings, *more]


def run_to_end(arguments: Sequence[str]) -> float:
    """Run a command that must succeed; returns its seconds."""
    begin = time.perf_counter()
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return time.perf_counter() - begin


def kill_at(arguments: Sequence[str], root: Path, step: int, jitter: float) -> Killed:
    """Start the command in a process group of its own and SIGKILL the group once `step` is logged."""
    before = last_step(root)
    process = subprocess.Popen(
        arguments, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    began = None
    while process.poll() is None:
        now = last_step(root)
        if began is None and now != before:
            began = now
        # Past its first own checkpoint, so that this attempt leaves something behind.
        if began is not None and now >= max(step, began + 2 * CHECKPOINT_STEPS):
            time.sleep(jitter)
            break
        time.sleep(0.002)
    assert process.poll() is None, f"ended before step {step}: {process.communicate()[1]}"
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert began is not None
    return Killed(began, last_step(root))


def last_step(root: Path) -> int:
    """The last complete row of the newest steps.csv, 0 without one."""
    files = list(root.glob("*/*/steps.csv"))
    if not files:
        return 0
    lines = files[0].read_bytes().split(b"\n")[1:-1]
    return int(lines[-1].split(b",")[0]) if lines else 0


def kill_moments(steps: int, kills: int, seed: int) -> list[int]:
    """Random steps of a training in order, leaving room for each attempt to advance."""
    generator = random.Random(seed)
    room = steps - 3 * CHECKPOINT_STEPS * (kills + 1)
    assert room > 0
    moments = sorted(generator.randrange(1, room) for _ in range(kills))
    return [moment + 3 * CHECKPOINT_STEPS * number for number, moment in enumerate(moments)]


@dataclass(frozen=True)
class Fingerprint:
    """What two trainings that are the same have in common."""

    weights: str
    best_weights: str
    metrics: tuple[tuple[str, ...], ...]
    logged_steps: tuple[str, ...]
    predictions: str


def fingerprint(root: Path) -> Fingerprint:
    """The fingerprint of the one run under `root`."""
    (run,) = (path.parent for path in root.glob("*/*/result.json"))
    rows = [{k: v for k, v in row.items() if k not in TIMING} for row in read_rows(run / "metrics.csv")]
    return Fingerprint(
        _sha(run / "final" / "model.safetensors"),
        _sha(run / "best" / "model.safetensors"),
        tuple(tuple(row.values()) for row in rows),
        tuple(f"{row['step']} {row['loss']}" for row in read_rows(run / "steps.csv")),
        _sha(run / "predictions_val.csv"),
    )


TIMING = ("seconds", "images_per_second")


def _sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
