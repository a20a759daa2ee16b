"""What the default callbacks cost a training step: the time that passes within their hooks.

python benchmarks/callbacks.py [--rounds 7] [--steps 2000]

Real steps of a small network on the bundled digits, as the training loop does them: every callback that a training has
without being asked for any (records, TensorBoard, best bundle, checkpoints), a row every 50 steps (train.log_every).
The time within the hooks is taken by itself, so that the noise of the steps is not in it; the steps' own time is
printed beside it.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import torch

from vernier.config.loading import load_config
from vernier.training.callbacks.build import make_callbacks
from vernier.training.callbacks.callback import Training
from vernier.training.callbacks.callbacks import Callbacks
from vernier.training.log import LineDisplay
from vernier.training.prepare import prepare
from vernier.training.runtime import make_fabric
from vernier.training.setup import Setup, build_setup, make_step
from vernier.training.state import TrainState
from vernier.versions import versions

_LOG_EVERY = 50
_SETTINGS = (
    "data=digits",
    "data.batch_size=16",
    "data.threads=0",
    "model=digits_cnn",
    "train.threads=1",
    "train.speed=off",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=2000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as directory:
        rounds = [measure(Path(directory) / str(number), options.steps) for number in range(options.rounds)]
    hooks, steps = ([row[index] for row in rounds] for index in (0, 1))
    print(f"n = {options.rounds} rounds of {options.steps} steps; torch {versions()['torch']}")
    print(f"within hooks: {_words(hooks)} ms a step (a row in the logs every {_LOG_EVERY} steps included)")
    print(f"the step itself: {_words(steps)} ms")


def measure(directory: Path, count: int) -> tuple[float, float]:
    """Milliseconds a step within hooks, and of the step itself."""
    setup, training = _training(directory)
    callbacks = Callbacks(make_callbacks(setup, training.run, training.state))
    step = make_step(setup)
    in_hooks = in_steps = 0.0
    with callbacks.watching(training):
        for number, batch in enumerate(islice(_batches(setup), count), start=1):
            begin = time.perf_counter()
            result = step.forward_backward(batch)
            step.update()
            loss = result.loss_sum
            training.state.step = number
            middle = time.perf_counter()
            callbacks.step_end(training, batch, result)
            if number % _LOG_EVERY == 0:
                callbacks.step_logged(training, {"epoch": 1, "lr": 0.1, "loss": loss / 16})
            in_hooks += time.perf_counter() - middle
            in_steps += middle - begin
    return 1000 * in_hooks / count, 1000 * in_steps / count


def _training(directory: Path) -> tuple[Setup, Training]:
    prepared = prepare(load_config(None, (*_SETTINGS, f"run.dir={directory}")), LineDisplay())
    assert prepared.parts is not None
    fabric = make_fabric(prepared.parts.config.train)
    fabric.launch()
    setup = build_setup(prepared.parts, fabric)
    return setup, Training(setup, prepared.run, TrainState(), LineDisplay())


def _batches(setup: Setup) -> Iterator:
    epoch = 0
    while True:
        yield from setup.loader.epoch(epoch)
        epoch += 1


def _words(values: list[float]) -> str:
    return f"{statistics.median(values):.4f} ({min(values):.4f} to {max(values):.4f})"


if __name__ == "__main__":
    main()
