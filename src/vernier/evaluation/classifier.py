"""A bundle made ready to classify: network, preprocessing and the meaning of the outputs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast, final, get_args

import numpy as np
import torch
from torch import nn

from vernier.augment.preprocess import Preprocessing
from vernier.errors import ModelError
from vernier.evaluation.inference import ImageSequence, predict_logits
from vernier.models.bundle import load_bundle
from vernier.models.task import Task, TaskName, make_task


@final
@dataclass(frozen=True)
class Classifier:
    """What turns images into logits, and logits into answers.

    Attributes:
        module: in eval mode, on `device`.
        preprocessing: from a decoded image to the module's input.
        task: what the outputs mean.
        temperature: what logits are divided by.
        device: where the module is.
        reject_threshold: confidence below which an image is `unknown`; None for never.
    """

    module: nn.Module
    preprocessing: Preprocessing
    task: Task
    temperature: float
    device: torch.device
    reject_threshold: float | None = None

    def logits(
        self, images: ImageSequence, indices: Sequence[int] | np.ndarray, *, batch_size: int, threads: int
    ) -> np.ndarray:
        """float32 (len(indices), num_outputs), calibrated where the bundle is; see `predict_logits`."""
        logits = predict_logits(
            self.module,
            images,
            indices,
            self.preprocessing,
            batch_size=batch_size,
            threads=threads,
            device=self.device,
        )
        return logits / np.float32(self.temperature)


def load_classifier(
    path: Path, *, threshold: float | None = None, device: str = "cpu", trust: bool = False
) -> Classifier:
    """Load a bundle, or the best one of a run directory.

    Args:
        path: bundle or run directory.
        threshold: instead of the bundle's own.
        device: where to compute, as torch names it.
        trust: import the user's own code when the bundle names it.

    Raises:
        ModelError: no bundle there, damaged, or in need of `trust`.
    """
    module, info = load_bundle(path, trust=trust)
    if info.task not in get_args(TaskName):
        known = ", ".join(get_args(TaskName))
        raise ModelError(f"{path}: its task {info.task!r} is none of {known}; update Vernier")
    threshold = info.threshold if threshold is None else threshold
    return Classifier(
        # Training evaluates in this memory format by default: the same kernels give the same bits.
        module.to(device).to(memory_format=torch.channels_last),
        Preprocessing.from_json(info.preprocessing),
        make_task(cast(TaskName, info.task), info.class_names, threshold=threshold),
        1.0 if info.temperature is None else info.temperature,
        torch.device(device),
        info.reject_threshold,
    )
