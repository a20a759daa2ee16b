"""Bundles and runs as `vernier predict` uses them: preprocessing in threads, whole batches through torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
import torch

from vernier.augment.preprocess import Preprocessing
from vernier.evaluation.classifier import Classifier, load_classifier
from vernier.evaluation.finite import check_finite
from vernier.evaluation.inference import batch_logits
from vernier.evaluation.metrics import probabilities_of
from vernier.models.task import Task


@final
@dataclass(frozen=True)
class BundleModel:
    """An `ImageModel`; its numbers are those of `vernier evaluate`."""

    classifier: Classifier

    @property
    def task(self) -> Task:
        """The bundle's."""
        return self.classifier.task

    @property
    def preprocessing(self) -> Preprocessing:
        """The bundle's."""
        return self.classifier.preprocessing

    @property
    def reject_threshold(self) -> float | None:
        """The bundle's."""
        return self.classifier.reject_threshold

    @property
    def threads(self) -> int:
        """As many as torch computes with."""
        return torch.get_num_threads()

    def prepare(self, image: np.ndarray) -> np.ndarray:
        """Preprocessed, float32 (C, height, width)."""
        return self.classifier.preprocessing(image)

    def probabilities(self, prepared: Sequence[np.ndarray]) -> np.ndarray:
        """float32 (N, C), calibrated where the bundle is."""
        classifier = self.classifier
        logits = batch_logits(classifier.module, np.stack(prepared), device=classifier.device)
        logits = logits / np.float32(classifier.temperature)
        check_finite(logits)
        return probabilities_of(logits, classifier.task)


def open_bundle(path: Path, *, device: str, trust: bool) -> BundleModel:
    """Load a bundle, or the best one of a run directory.

    Raises:
        ModelError: No bundle there, damaged, or in need of `trust`.
    """
    return BundleModel(load_classifier(path, device=device, trust=trust))
