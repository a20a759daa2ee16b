"""Losses that are not finite numbers: when they are found, and what is said of them."""

from math import isfinite
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from vernier.data.loader import Batch
from vernier.errors import TrainingError
from vernier.training.callbacks.callback import Training
from vernier.training.state import TrainState
from vernier.training.step import StepResult

_LISTED = 8


class UnreadSteps:
    """Results that still lie on the device."""

    def __init__(self) -> None:
        self._results: list[tuple[int, StepResult]] = []
        self.broken: tuple[int, StepResult] | None = None

    def add(self, batch: int, result: StepResult) -> None:
        """Keep the result of a batch of the current epoch."""
        self._results.append((batch, result))

    def read_into(self, state: TrainState) -> None:
        """Add the sums to the epoch's, one by one as they came; notes the first that is not finite."""
        if not self._results:
            return
        rows = torch.stack([result.sums for _, result in self._results]).tolist()
        for (batch, result), (loss_sum, correct, count) in zip(self._results, rows, strict=True):
            state.loss_sum += loss_sum
            state.correct += correct
            state.count += int(count)
            if self.broken is None and not isfinite(loss_sum):
                self.broken = (batch, result)
        self._results.clear()


def not_finite_error(training: Training, unread: UnreadSteps) -> TrainingError:
    """The error for a loss that is NaN or infinite, with the images that gave it; their batch is written to the run.

    In a process whose own share of the batch is fine, it only says so.
    """
    if unread.broken is None:
        return TrainingError("the loss is not a finite number in another process, which says more")
    number, result = unread.broken
    setup, state = training.setup, training.state
    batch = setup.loader.batch(state.epoch, number)
    file = training.run.path / f"not_finite_{setup.group.rank}.safetensors"
    _write(batch, result, file)
    step = state.epoch * setup.steps.per_epoch + number // setup.steps.accumulate + 1
    wrong = ~np.isfinite(result.sample_losses.cpu().numpy())
    return TrainingError(
        f"the loss is not a finite number at step {step} (epoch {state.epoch + 1}, batch {number + 1}); "
        f"optimizer.lr is {setup.optimizer.param_groups[0]['lr']:g} here. The images that gave it:\n"
        f"{_listed(training, batch.positions[wrong])}\nThe whole batch is in {file}.\n"
        "Try a lower optimizer.lr, a schedule.warmup, train.gradient_clip_norm=1, or train.precision=32-true."
    )


def _write(batch: Batch, result: StepResult, file: Path) -> None:
    """Images, targets, places in the source and losses of a batch."""
    tensors = {
        "images": batch.images.contiguous().cpu(),
        "targets": batch.targets.contiguous(),
        "positions": torch.from_numpy(batch.positions),
        "losses": result.sample_losses.cpu(),
    }
    save_file(tensors, file)


def _listed(training: Training, positions: np.ndarray) -> str:
    images = training.setup.dataset.source.images
    names = [str(images.path(p) or images.key(p)) for p in positions.tolist()[:_LISTED]]
    more = f"\n  and {len(positions) - len(names)} more" if len(positions) > len(names) else ""
    return "\n".join(f"  {name}" for name in names) + more
