"""Histograms of weights and gradients."""

from collections.abc import Mapping
from typing import final

import torch

from vernier.track.tensorboard_tracker import TensorBoardTracker
from vernier.training.callbacks.callback import Callback, Training

_BINS = 64


@final
class Histograms(Callback):
    """Shows every parameter and its gradient of the last step, at the end of each epoch.

    Values that are not finite, such as gradients of a skipped step in 16 bits, are left out.
    """

    def __init__(self, tracker: TensorBoardTracker) -> None:
        self._tracker = tracker

    def epoch_end(self, training: Training, values: Mapping[str, float]) -> None:
        """See `Callback.epoch_end`."""
        for name, parameter in training.setup.model.named_parameters():
            self._show(f"weights/{name}", parameter.detach(), training.state.step)
            if parameter.grad is not None:
                self._show(f"gradients/{name}", parameter.grad, training.state.step)

    def _show(self, tag: str, tensor: torch.Tensor, step: int) -> None:
        finite = tensor[tensor.isfinite()].float().cpu().numpy()
        if finite.size:
            self._tracker.writer.add_histogram(tag, finite, step, bins=_BINS)
