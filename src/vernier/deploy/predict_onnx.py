"""ONNX files as `vernier predict` uses them: each image is a run of its own, in the thread that read it; no torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np

from vernier.augment.preprocess import Preprocessing
from vernier.deploy.image_model import UnfitImageError
from vernier.deploy.onnx_classifier import OnnxClassifier, load_onnx
from vernier.deploy.onnx_info import OnnxInfo
from vernier.errors import ModelError
from vernier.evaluation.finite import check_finite
from vernier.models.task import Task
from vernier.processors import processors


@final
@dataclass(frozen=True)
class OnnxModel:
    """An `ImageModel`.

    Attributes:
        classifier: Of a file that takes one image a run.
        image_size: Height and width of the only images that it takes; None for any.
    """

    classifier: OnnxClassifier
    image_size: tuple[int, int] | None

    @property
    def task(self) -> Task:
        """The file's."""
        return self.classifier.task

    @property
    def preprocessing(self) -> Preprocessing:
        """The file's."""
        return self.classifier.preprocessing

    @property
    def reject_threshold(self) -> float | None:
        """The file's."""
        return self.classifier.info.reject_threshold

    @property
    def threads(self) -> int:
        """As many as there are processors: a run takes one."""
        return processors()

    def prepare(self, image: np.ndarray) -> np.ndarray:
        """Logits, float32 (num_outputs,), of an image of any size that the file takes."""
        size = image.shape[:2]
        if self.image_size is not None and size != self.image_size:
            sizes = " and the model takes images of ".join(
                f"{height} x {width}" for height, width in (size, self.image_size)
            )
            raise UnfitImageError(f"is {sizes} (height x width) only; export it with export.image_size=dynamic")
        return self.classifier.image_logits(image)

    def probabilities(self, prepared: Sequence[np.ndarray]) -> np.ndarray:
        """float32 (N, C), of logits divided by the temperature."""
        logits = np.stack(prepared) / np.float32(self.classifier.temperature)
        check_finite(logits)
        return probabilities_of(logits, self.classifier.task)


def open_onnx(path: Path, info: OnnxInfo | None = None) -> OnnxModel:
    """Open an ONNX file.

    Args:
        path: The file.
        info: What it is, for files without metadata of Vernier's own.

    Raises:
        MissingExtraError: onnxruntime is missing.
        ModelError: It can't be used, or it takes several images a run.
    """
    classifier = load_onnx(path, info)
    batch, *sizes = classifier.session.get_inputs()[0].shape
    if isinstance(batch, int) and batch != 1:
        raise ModelError(f"{path}: takes {batch} images at once; export it with export.batch_size=1, or dynamic")
    if classifier.info.kind == "network":
        return OnnxModel(classifier, None)
    height, width = sizes[:2] if classifier.info.layout == "nhwc" else sizes[1:]
    fixed = isinstance(height, int) and isinstance(width, int)
    return OnnxModel(classifier, (height, width) if fixed else None)


def probabilities_of(logits: np.ndarray, task: Task) -> np.ndarray:
    """What `Task.probabilities` gives, by NumPy: float32 (N, C) of float32 (N, num_outputs)."""
    exact = logits.astype(np.float64)
    if task.name == "multiclass":
        shares = np.exp(exact - exact.max(axis=1, keepdims=True))
        return np.asarray(shares / shares.sum(axis=1, keepdims=True), np.float32)
    if task.name == "binary":
        exact = np.concatenate([-exact, exact], axis=1)
    return np.asarray(np.exp(-np.logaddexp(0.0, -exact)), np.float32)
