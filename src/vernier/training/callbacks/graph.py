"""The network's operations."""

import contextlib
import copy
import io
import warnings
from typing import final

import torch

from vernier.track.tensorboard_tracker import TensorBoardTracker
from vernier.training.callbacks.callback import Callback, Training
from vernier.training.log import logger


@final
class Graph(Callback):
    """Traces a copy of the model on an empty image, when training begins for the first time."""

    def __init__(self, tracker: TensorBoardTracker) -> None:
        self._tracker = tracker

    def begin(self, training: Training) -> None:
        """See `Callback.begin`."""
        if training.state.step > 0:
            return
        model = copy.deepcopy(training.setup.model)
        preprocessing = training.setup.parts.preprocessing
        parameter = next(model.parameters())
        image = torch.zeros(
            (1, preprocessing.channels, *preprocessing.input_size), dtype=parameter.dtype, device=parameter.device
        )
        try:
            with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
                # torch announces that tracing will go; TensorBoard's graphs know nothing else.
                warnings.simplefilter("ignore")
                self._tracker.writer.add_graph(model, image)
        except RuntimeError as error:
            reason = str(error).strip().partition("\n")[0]
            logger.warning("track.tensorboard.graph: this network can't be traced, so there is no graph: %s", reason)
