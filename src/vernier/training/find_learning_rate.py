"""A learning rate by a range test (Smith 2017, "Cyclical learning rates for training neural networks", section 3.3).

The learning rate grows by a constant factor every step until the loss, smoothed, rises far above its lowest. The
lowest loss is already at the edge: a tenth of the learning rate there leaves room. What comes out is then tried for
a few steps from the first weights, and lowered until the loss of the batches it was measured on has fallen.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any, Final, final

import torch

from vernier.augment.randomness import step_seed
from vernier.config.root import Config
from vernier.data.loader import Batch
from vernier.errors import TrainingError
from vernier.models.freeze import set_training_mode
from vernier.optim.groups import set_learning_rate
from vernier.training.parts import Dataset, build_parts
from vernier.training.runtime import make_fabric, process_settings
from vernier.training.setup import Setup, build_setup, make_step
from vernier.training.step import TrainStep

_RANGE: Final = (1e-6, 1.0)
_OTHER_RANGES: Final = {"sgd": (1e-5, 10.0), "adagrad": (1e-5, 10.0), "adadelta": (1e-3, 100.0), "lion": (1e-7, 0.1)}
_STEPS: Final = (100, 50, 30)
"""Steps of the range test: the most for which there is time."""

_SECONDS: Final = 60.0
_SMOOTHING: Final = 0.9
_DIVERGED: Final = 4.0
"""The test ends when the smoothed loss is this many times its lowest."""

_SETTLE: Final = 0.1
"""Share of the steps before the test may end."""

_BELOW_LOWEST: Final = 10.0
_CONFIRM_STEPS: Final = 20
_CONFIRM_BATCHES: Final = 4
_LOWER: Final = 3.0
_ATTEMPTS: Final = 5
_SHOWN_POINTS: Final = 15


@final
@dataclass(frozen=True)
class LearningRatePoint:
    """One step of the range test: its learning rate, and the loss before it, smoothed."""

    lr: float
    loss: float


@final
@dataclass(frozen=True)
class LearningRateFinding:
    """The learning rate found, a phrase that says why, and what the range test saw."""

    lr: float
    reason: str
    curve: tuple[LearningRatePoint, ...]

    def to_json(self) -> dict[str, Any]:
        """The fields by name."""
        return asdict(self)

    def to_text(self) -> str:
        """Some points of the curve, the learning rate, and how to use it."""
        shown = self.curve[:: max(1, -(-len(self.curve) // _SHOWN_POINTS))]
        lines = [f"lr {point.lr:8.2g}  loss {point.loss:.4f}" for point in shown]
        return "\n".join([*lines, f"optimizer.lr={self.lr:g}", f"reason: {self.reason}"])


def find_learning_rate(
    config: Config, dataset: Dataset, say: Callable[[str], None], *, seconds: float = _SECONDS
) -> LearningRateFinding:
    """A learning rate for the whole of a config: its model, optimizer, batches, augmentation and precision.

    The model is built anew for every part of the test; generators and settings of the process are as before
    afterwards. The result is the same every time for the same config, as long as there is time for as many steps.

    Args:
        config: Resolved; its `optimizer.lr` is not used.
        dataset: The training batches are taken in the order of the training, epoch after epoch.
        say: Told of every attempt to confirm.
        seconds: About how long the range test may take; a slow step means fewer steps.

    Raises:
        TrainingError: no learning rate lowers the loss.
    """
    single = _for_one_process(config)
    with process_settings(single), torch.random.fork_rng(range(torch.cuda.device_count())):
        steps = _affordable_steps(_Trial(single, dataset), seconds)
        curve = _range_test(_Trial(single, dataset), _OTHER_RANGES.get(config.optimizer.name, _RANGE), steps)
        first = _choose(curve)
        lr = _confirm(lambda: _Trial(single, dataset), first, say)
    return LearningRateFinding(lr, _reason(curve, first, lr, steps), curve)


def _for_one_process(config: Config) -> Config:
    """The same global batches in this process alone."""
    train = config.train.model_copy(update={"devices": 1, "num_nodes": 1, "strategy": "single"})
    return config.model_copy(update={"train": train})


@final
class _Trial:
    """A training from its first weights, with a learning rate of ours."""

    def __init__(self, config: Config, dataset: Dataset) -> None:
        self._setup = _set_up(config, dataset)
        self._step: TrainStep = make_step(self._setup)
        set_training_mode(self._setup.model, config.train.freeze_batchnorm)

    def batches(self) -> Iterator[Batch]:
        """Training batches without end."""
        epoch = 0
        while True:
            yield from self._setup.loader.epoch(epoch)
            epoch += 1

    def loss(self, batch: Batch, number: int) -> float:
        """The mean loss of a batch in training mode; its gradients are kept for `move`."""
        torch.manual_seed(step_seed(self._setup.config.seed, number, 0))
        return self._step.forward_backward(batch).loss_sum / batch.global_count

    def move(self, lr: float) -> None:
        """Move the weights by the gradients of the last `loss`."""
        set_learning_rate(self._setup.optimizer, lr)
        self._step.update()


def _set_up(config: Config, dataset: Dataset) -> Setup:
    parts = build_parts(config, dataset, lambda text: None)
    fabric = make_fabric(config.train)
    fabric.launch()
    return build_setup(parts, fabric)


def _affordable_steps(trial: _Trial, seconds: float) -> int:
    """How many steps there is time for, by the second of two steps."""
    for number, batch in enumerate(islice(trial.batches(), 2)):
        begin = time.perf_counter()
        trial.loss(batch, number)
        trial.move(0.0)
    step = time.perf_counter() - begin
    return next((steps for steps in _STEPS if steps * step <= seconds), _STEPS[-1])


def _range_test(trial: _Trial, limits: tuple[float, float], steps: int) -> tuple[LearningRatePoint, ...]:
    """The smoothed loss at growing learning rates, up to where it diverges."""
    lowest, highest = limits
    factor = (highest / lowest) ** (1 / (steps - 1))
    average, best = 0.0, math.inf
    curve: list[LearningRatePoint] = []
    for number, batch in enumerate(islice(trial.batches(), steps)):
        loss = trial.loss(batch, number)
        if not math.isfinite(loss):
            break
        average = _SMOOTHING * average + (1 - _SMOOTHING) * loss
        smooth = average / (1 - _SMOOTHING ** (number + 1))
        if number > _SETTLE * steps and smooth > _DIVERGED * best:
            break
        best = min(best, smooth)
        lr = lowest * factor**number
        curve.append(LearningRatePoint(lr, smooth))
        trial.move(lr)
    return tuple(curve)


def _lowest(curve: tuple[LearningRatePoint, ...]) -> LearningRatePoint:
    return min(curve, key=lambda point: point.loss)


def _choose(curve: tuple[LearningRatePoint, ...]) -> float:
    """A tenth of the learning rate of the lowest loss, in two digits.

    Raises:
        TrainingError: the loss was not a number from the start.
    """
    if not curve:
        raise TrainingError(
            "optimizer.lr=auto: the loss of the first batch is not a finite number; look at the images, at "
            "augment.train's Normalize and at train.precision"
        )
    return _rounded(_lowest(curve).lr / _BELOW_LOWEST)


def _rounded(lr: float) -> float:
    return float(f"{lr:.1e}")


def _confirm(make_trial: Callable[[], _Trial], lr: float, say: Callable[[str], None]) -> float:
    """The first of `lr` and ever lower ones with which a short training lowers the loss.

    Raises:
        TrainingError: none does.
    """
    tried = [_rounded(lr / _LOWER**attempt) for attempt in range(_ATTEMPTS)]
    for candidate in tried:
        before, after = _short_training(make_trial(), candidate)
        say(f"lr {candidate:g}: loss {before:.4f} -> {after:.4f} in {_CONFIRM_STEPS} steps")
        if after < before:
            return candidate
    listed = ", ".join(f"{one:g}" for one in tried)
    raise TrainingError(
        f"optimizer.lr=auto: {_CONFIRM_STEPS} steps lower the loss at none of {listed}; "
        "look at the labels and at augment.train, or set optimizer.lr yourself"
    )


def _short_training(trial: _Trial, lr: float) -> tuple[float, float]:
    """The loss of the same few batches before and after a few steps; infinite when it left the numbers."""
    batches = list(islice(trial.batches(), _CONFIRM_BATCHES))
    before = _mean_loss(trial, batches)
    for number, batch in enumerate(islice(trial.batches(), _CONFIRM_STEPS)):
        if not math.isfinite(trial.loss(batch, number)):
            return before, math.inf
        trial.move(lr)
    after = _mean_loss(trial, batches)
    return before, after if math.isfinite(after) else math.inf


def _mean_loss(trial: _Trial, batches: list[Batch]) -> float:
    return sum(trial.loss(batch, number) for number, batch in enumerate(batches)) / len(batches)


def _reason(curve: tuple[LearningRatePoint, ...], first: float, lr: float, steps: int) -> str:
    lowest = _lowest(curve)
    text = f"a tenth of {lowest.lr:.2g}, where the loss was lowest ({lowest.loss:.3g}) in a range test of {steps} steps"
    if lr != first:
        text += f", lowered from {first:g}"
    return f"{text}; {_CONFIRM_STEPS} steps with it lower the loss"
