"""Images as the model sees them."""

from typing import final

import numpy as np

from vernier.data.loader import Batch
from vernier.evaluation.pixels import to_pixels, visible
from vernier.track.tensorboard_tracker import TensorBoardTracker
from vernier.training.callbacks.callback import Callback, Training
from vernier.training.parts import Parts
from vernier.training.step import StepResult


@final
class ExampleImages(Callback):
    """Shows the first `count` images of the first step's batch, augmented and mixed.

    Colours are right where training normalises as evaluation does.
    """

    def __init__(self, tracker: TensorBoardTracker, count: int) -> None:
        self._tracker = tracker
        self._count = count

    def step_end(self, training: Training, batch: Batch, result: StepResult) -> None:
        """See `Callback.step_end`."""
        if training.state.step == 1 and training.setup.features is None:
            self._show(batch, training.setup.parts)

    def _show(self, batch: Batch, parts: Parts) -> None:
        values = batch.images[: self._count].float().cpu().numpy()
        pixels = np.moveaxis(to_pixels(values, parts.preprocessing), 1, -1)
        shown = np.stack([visible(image, parts.plan.colours) for image in pixels])
        self._tracker.writer.add_images("images/first_batch", shown, 1, dataformats="NHWC")
