"""The learning rate of every step of a training, before a step is trained."""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from vernier.atomic import write_atomically, write_text_atomically
from vernier.config.root import Config
from vernier.config.schedule import ReduceOnPlateauConfig
from vernier.config.settled import settled
from vernier.data.order import BatchOrder
from vernier.data.splits import split_source
from vernier.errors import ConfigError, ConfigProblem
from vernier.optim.schedules import make_momentum, make_schedule
from vernier.scenario.overriding import open_data
from vernier.training.limits import limited_order
from vernier.training.steps import Steps
from vernier.training.text_plot import text_plot

_BATCH_SIZE_UNTIL_MEASURED = 32
_MOST_POINTS = 4000
"""So many points a line of the picture has at most: more than there are dots."""


@final
@dataclass(frozen=True)
class ScheduleCurve:
    """A schedule, step by step.

    Attributes:
        name: Of the schedule.
        steps_per_epoch: Optimizer steps.
        rates: float64 (steps,), the learning rate that each step uses.
        momentum: float64 (steps,), or None where it stays as the optimizer has it.
    """

    name: str
    steps_per_epoch: int
    rates: np.ndarray
    momentum: np.ndarray | None

    @property
    def epochs(self) -> np.ndarray:
        """The epoch of each step, from 1, int64 (steps,)."""
        return np.arange(len(self.rates)) // self.steps_per_epoch + 1

    def to_json(self) -> dict[str, Any]:
        """Size, first, highest and last value, and the rate at the first step of each epoch."""
        return {
            "schedule": self.name,
            "steps": len(self.rates),
            "steps_per_epoch": self.steps_per_epoch,
            "lr": _summary(self.rates),
            "momentum": None if self.momentum is None else _summary(self.momentum),
            "lr_by_epoch": self.rates[:: self.steps_per_epoch].tolist(),
        }

    def to_text(self, width: int) -> str:
        """The curve in characters, and its size in words; `width` characters wide."""
        rates, steps = _summary(self.rates), len(self.rates)
        epochs = int(self.epochs[-1])
        lines = [
            f"schedule={self.name}: {epochs} epoch(s) of {self.steps_per_epoch} steps, {steps} steps in all",
            f"lr: first {rates['first']:.6g}, highest {rates['highest']:.6g}, last {rates['last']:.6g}",
            *text_plot(self.rates, width, f"epoch {epochs}"),
        ]
        if self.momentum is not None:
            momentum = _summary(self.momentum)
            lines.append(f"momentum: first {momentum['first']:.6g}, lowest {float(self.momentum.min()):.6g}")
        return "\n".join(lines)

    def write_csv(self, path: Path) -> None:
        """Write `epoch,step,lr`, a row for every optimizer step; epochs and steps count from 1.

        Raises:
            RunError: the file can't be written.
        """
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["epoch", "step", "lr"])
        writer.writerows(zip(self.epochs.tolist(), range(1, len(self.rates) + 1), self.rates.tolist(), strict=True))
        write_text_atomically(path, text.getvalue())

    def write_picture(self, path: Path) -> None:
        """Draw the curve, and momentum below it, as PNG.

        Raises:
            RunError: the file can't be written.
        """
        from matplotlib.figure import Figure

        drawn = [("learning rate", self.rates), ("momentum", self.momentum)]
        panels = [(label, values) for label, values in drawn if values is not None]
        figure = Figure(figsize=(7, 1.2 + 2.4 * len(panels)), layout="constrained")
        every = max(1, -(-len(self.rates) // _MOST_POINTS))
        epochs = np.arange(0, len(self.rates), every) / self.steps_per_epoch
        for row, (label, values) in enumerate(panels, start=1):
            axes = figure.add_subplot(len(panels), 1, row)
            axes.step(epochs, values[::every], where="post", color="#0b62b8", linewidth=1.4)
            axes.set(xlabel="epochs trained", ylabel=label)
            axes.grid(alpha=0.25)
            axes.spines[["top", "right"]].set_visible(False)
        figure.suptitle(f"schedule={self.name}", fontsize=11)
        write_atomically(path, lambda file: figure.savefig(file, format="png", dpi=120))


def _summary(values: np.ndarray) -> dict[str, float]:
    return {"first": float(values[0]), "highest": float(values.max()), "last": float(values[-1])}


def schedule_curve(config: Config, steps: Steps) -> ScheduleCurve:
    """The learning rate of every step of a training.

    Raises:
        ConfigError: it is not known ahead, or the schedule does not fit into the training.
    """
    _refuse_unknown(config)
    length = {"total_steps": steps.total, "steps_per_epoch": steps.per_epoch}
    factor, momentum = make_schedule(config.schedule, **length), make_momentum(config.schedule, **length)
    rates = settled(config.optimizer.lr) * _values(factor, steps.total)
    curve = None if momentum is None else _values(momentum, steps.total)
    return ScheduleCurve(config.schedule.name, steps.per_epoch, rates, curve)


def _values(function: Callable[[int], float], steps: int) -> np.ndarray:
    return np.fromiter(map(function, range(steps)), np.float64, steps)


def _refuse_unknown(config: Config) -> None:
    if isinstance(config.schedule, ReduceOnPlateauConfig):
        message = "reduce_on_plateau follows the validations of a training, so nobody knows its learning rates ahead"
        raise ConfigError([ConfigProblem("schedule.name", f"{message}; plot another schedule, or look at a run's lr")])
    if config.optimizer.lr == "auto":
        message = "auto is measured when training begins; write the learning rate, or 1 to see factors of it"
        raise ConfigError([ConfigProblem("optimizer.lr", message)])


def count_steps(config: Config, images: int | None = None) -> Steps:
    """How many steps a training of this config has.

    `data.batch_size=auto` counts as 32. Nothing is decoded, so images that can't be read count too.

    Args:
        config: Resolved or not.
        images: Training images of an epoch; else the source is opened to count them.

    Raises:
        ConfigError, DataError: the source can't be opened or split.
    """
    if images is None:
        images = len(split_source(open_data(config), config.data).train)
    batch_size = _BATCH_SIZE_UNTIL_MEASURED if config.data.batch_size == "auto" else config.data.batch_size
    order = limited_order(BatchOrder(images, batch_size, config.seed), config.train)
    return Steps(order.batches_per_epoch, config.train.accumulate, config.train.epochs, config.train.max_steps)


def given_steps(config: Config, steps_per_epoch: int) -> Steps:
    """The same when the optimizer steps of an epoch are known."""
    return Steps(steps_per_epoch, 1, config.train.epochs, config.train.max_steps)
