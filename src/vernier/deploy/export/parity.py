"""How far an exported file's answers are from its bundle's."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, final

import cv2
import numpy as np
import torch
from torch import nn

from vernier.augment.preprocess import Preprocessing, Size
from vernier.deploy.export.pt2 import load_program
from vernier.deploy.onnx_classifier import open_session
from vernier.deploy.onnx_info import IMAGE, INPUT, LOGITS, OnnxInfo
from vernier.evaluation.classifier import Classifier
from vernier.evaluation.inference import ImageSequence
from vernier.evaluation.metrics import probabilities_of

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

_TOGETHER = 3
"""Images that an open batch is checked with besides single ones."""
_NOISE = 8
"""Random images of each size."""


@final
@dataclass(frozen=True)
class Parity:
    """The differences between two models' probabilities.

    Attributes:
        images: which images.
        n: how many.
        max_difference: the largest of any probability.
        mean_difference: over all probabilities.
        agreement: share of the images with the same decision.
    """

    images: str
    n: int
    max_difference: float
    mean_difference: float
    agreement: float

    def __str__(self) -> str:
        """A sentence."""
        return (
            f"probabilities differ by {self.max_difference:.1e} at most, {self.mean_difference:.1e} on average; "
            f"{self.agreement:.2%} of the decisions agree ({self.n} images: {self.images})"
        )


@final
@dataclass(frozen=True)
class ParityImages:
    """The images of a comparison.

    Attributes:
        images: uint8 (H, W, channels) each.
        indices: int64 (n,), which of them.
        description: a few words.
    """

    images: ImageSequence
    indices: np.ndarray
    description: str


class BatchRunner(Protocol):
    """An exported file, ready to run."""

    def __call__(self, images: np.ndarray, /) -> np.ndarray:
        """float32 (n, outputs), logits of uint8 images (n, H, W, channels)."""
        ...


def compare(
    reference: Classifier, run: BatchRunner, chosen: ParityImages, *, image_size: Size | None, batch_size: int | None
) -> Parity:
    """Run the same images through a bundle and through the file made of it.

    Args:
        reference: The bundle.
        run: The file.
        chosen: The images; they are brought to `image_size` first.
        image_size: The only size of image that the file takes; None for any.
        batch_size: The only number of images at once that it takes; None for any: then some are run together too.
    """
    images = chosen.images if image_size is None else _Resized(chosen.images, image_size)
    repeats = 1 if batch_size is None else batch_size
    outputs = [run(np.repeat(images[int(index)][None], repeats, axis=0))[:1] for index in chosen.indices]
    expected = [_logits(reference, images, chosen.indices)]
    if batch_size is None:
        together = _noise(
            reference.preprocessing.channels, [image_size or reference.preprocessing.input_size], _TOGETHER
        )
        outputs.append(run(np.stack(together)))
        expected.append(_logits(reference, together, np.arange(len(together))))
    return _measure(reference, np.concatenate(expected), np.concatenate(outputs), chosen)


def _logits(reference: Classifier, images: ImageSequence, indices: np.ndarray) -> np.ndarray:
    """Before the temperature."""
    scaled = reference.logits(images, indices, batch_size=32, threads=torch.get_num_threads())
    return scaled * np.float32(reference.temperature)


def _measure(reference: Classifier, expected: np.ndarray, found: np.ndarray, chosen: ParityImages) -> Parity:
    task, temperature = reference.task, np.float32(reference.temperature)
    first, second = (probabilities_of(logits / temperature, task) for logits in (expected, found))
    differences = np.abs(first - second)
    same = task.decide(first) == task.decide(second)
    n = len(chosen.indices)
    agreement = same.reshape(len(same), -1).all(axis=1)[: n or None].mean()
    # A NaN is further away than anything.
    worst = float(np.nan_to_num(differences, nan=np.inf).max())
    return Parity(chosen.description, n, worst, float(differences.mean()), float(agreement))


def random_images(preprocessing: Preprocessing, *, reason: str) -> ParityImages:
    """Noise in three sizes, for want of other images.

    Args:
        preprocessing: The model's.
        reason: Why there are no others.
    """
    height, width = preprocessing.input_size
    sizes = [(height, width), (height + height // 2 + 1, 2 * width), (2 * height + 3, max(1, width - width // 4))]
    noise = _noise(preprocessing.channels, sizes, _NOISE)
    return ParityImages(noise, np.arange(len(noise)), f"random pixels in three sizes, {reason}")


def _noise(channels: int, sizes: Sequence[Size], number: int) -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [generator.integers(0, 256, (*size, channels), np.uint8) for size in sizes for _ in range(number)]


@final
class _Resized:
    """Images brought to one size."""

    def __init__(self, images: ImageSequence, size: Size) -> None:
        self._images, self._size = images, size

    def __getitem__(self, index: int) -> np.ndarray:
        """uint8 (H, W, channels)."""
        image = self._images[index]
        height, width = self._size
        resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        return np.asarray(resized.reshape(height, width, image.shape[2]), np.uint8)


def run_onnx(path: Path, info: OnnxInfo) -> BatchRunner:
    """An ONNX file in onnxruntime, with as many threads as torch has."""
    return _OnnxRunner(open_session(path, threads=torch.get_num_threads()), info)


def run_program(path: Path, info: OnnxInfo) -> BatchRunner:
    """A `.pt2` file in torch."""
    module, _ = load_program(path)
    return _ProgramRunner(module, info)


@final
@dataclass(frozen=True)
class _OnnxRunner:
    session: "InferenceSession"
    info: OnnxInfo

    def __call__(self, images: np.ndarray) -> np.ndarray:
        name = INPUT if self.info.kind == "network" else IMAGE
        logits: np.ndarray = self.session.run([LOGITS], {name: _batch(images, self.info)})[0]
        return logits


@final
@dataclass(frozen=True)
class _ProgramRunner:
    module: nn.Module
    info: OnnxInfo

    def __call__(self, images: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            output = self.module(torch.from_numpy(_batch(images, self.info)))
        logits: np.ndarray = (output if self.info.kind == "network" else output[1]).numpy()
        return logits


def _batch(images: np.ndarray, info: OnnxInfo) -> np.ndarray:
    """What the model takes of uint8 images (n, H, W, channels)."""
    if info.kind == "network":
        preprocessing = info.make_preprocessing()
        return np.stack([preprocessing(image) for image in images])
    return np.ascontiguousarray(images if info.layout == "nhwc" else images.transpose(0, 3, 1, 2))
