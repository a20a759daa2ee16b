"""Classifying image files: bundles, runs and ONNX files, any number of images in constant memory."""

import contextlib
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, final

import numpy as np

from vernier.config.data import DataConfig
from vernier.data.images import FileImages, ImageError
from vernier.deploy.answering import Answering
from vernier.deploy.find_images import image_paths
from vernier.deploy.image_model import ImageModel, UnfitImageError
from vernier.deploy.path_parts import Part, parts_of
from vernier.deploy.predictions import Answer, Failure, Prediction, PredictResult
from vernier.evaluation.prefetch import computed_ahead

if TYPE_CHECKING:
    from vernier.deploy.onnx_info import OnnxInfo

_MAX_PIXELS: int = DataConfig().max_pixels


@final
@dataclass(frozen=True)
class PredictSettings:
    """How images are classified.

    Attributes:
        batch_size: Images at once.
        threads: Threads that read images; None for as many as suit the model.
        top_k: How many of the most probable classes each prediction lists.
        reject: Confidence below which an image is `unknown`; None for the model's own threshold, 0 for never.
        levels: Confidence below which an answer is of level low, and below which it is of level medium.
        max_pixels: Larger images are failures.
    """

    batch_size: int = 32
    threads: int | None = None
    top_k: int = 1
    reject: float | None = None
    levels: tuple[float, float] | None = None
    max_pixels: int = _MAX_PIXELS

    def answering(self, model: ImageModel) -> Answering:
        """For the answers of a model."""
        reject = model.reject_threshold if self.reject is None else self.reject
        return Answering(model.task, self.top_k, reject or None, self.levels)


def open_model(path: Path, *, device: str = "cpu", trust: bool = False, info: "OnnxInfo | None" = None) -> ImageModel:
    """Load what images are classified by; torch is imported for bundles only.

    Args:
        path: Bundle, run directory or ONNX file.
        device: Where a bundle computes, as torch names it.
        trust: Import the user's own code when the bundle names it.
        info: What an ONNX file is that has no metadata of Vernier's own.

    Raises:
        ModelError: It can't be used.
        MissingExtraError: onnxruntime is missing.
    """
    if is_onnx(path):
        from vernier.deploy.predict_onnx import open_onnx

        return open_onnx(path, info)
    from vernier.deploy.predict_bundle import open_bundle

    return open_bundle(path, device=device, trust=trust)


def is_onnx(path: Path) -> bool:
    """Whether a model is an ONNX file, by its name."""
    return path.suffix.casefold() == ".onnx"


def answer_parts(
    model: ImageModel, parts: Iterable[Part], settings: PredictSettings
) -> Generator[list[Answer], None, None]:
    """Answers to the parts of paths, in their order, computed a few parts ahead.

    Raises:
        TrainingError: Outputs that are not finite.
    """
    answering = settings.answering(model)
    threads = model.threads if settings.threads is None else settings.threads
    with contextlib.closing(computed_ahead(parts, _preparing(model, settings.max_pixels), threads)) as prepared:
        for part in prepared:
            yield _answers(model, part, answering)


def predict_stream(
    model: ImageModel, inputs: Sequence[Path], settings: PredictSettings | None = None
) -> Iterator[Answer]:
    """Answers one by one, in the order of the inputs; nothing is kept.

    Args:
        model: From `open_model`.
        inputs: See `image_paths`.
        settings: The defaults when not given.

    Raises:
        DataError: An input that does not exist, or no images at all.
    """
    settings = settings or PredictSettings()
    parts = parts_of(image_paths(inputs), settings.batch_size)
    with contextlib.closing(answer_parts(model, parts, settings)) as blocks:
        for block in blocks:
            yield from block


def predict(
    model_path: Path,
    inputs: Sequence[Path],
    *,
    batch_size: int = 32,
    threads: int | None = None,
    top_k: int = 1,
    device: str = "cpu",
    trust: bool = False,
    max_pixels: int = _MAX_PIXELS,
) -> PredictResult:
    """Classify image files; those that can't be read do not stop the others.

    Args:
        model_path: Bundle, run directory or ONNX file.
        inputs: See `image_paths`.
        batch_size: Images at once.
        threads: Threads that read images; by default as many as suit the model.
        top_k: How many of the most probable classes each prediction lists.
        device: Where to compute, as torch names it.
        trust: Import the user's own code when the bundle names it.
        max_pixels: Larger images are failures.

    Raises:
        ModelError: The model can't be used.
        DataError: An input that does not exist, or no images at all.
    """
    model = open_model(model_path, device=device, trust=trust)
    settings = PredictSettings(batch_size, threads, top_k, max_pixels=max_pixels)
    answers = list(predict_stream(model, inputs, settings))
    rows = tuple(answer for answer in answers if isinstance(answer, Prediction))
    failures = tuple(answer for answer in answers if isinstance(answer, Failure))
    return PredictResult(model.task.class_names, rows, failures)


_Prepared = tuple[str, np.ndarray | Failure]


def _preparing(model: ImageModel, max_pixels: int) -> Callable[[str], _Prepared]:
    seen = model.preprocessing

    def prepare(path: str) -> _Prepared:
        images = FileImages(Path(), [path], seen.channels, max_pixels, seen.value_range)
        try:
            return path, model.prepare(images.read(0))
        except ImageError as error:
            return path, Failure(path, error.reason)
        except UnfitImageError as error:
            return path, Failure(path, str(error))

    return prepare


def _answers(model: ImageModel, part: Sequence[_Prepared], answering: Answering) -> list[Answer]:
    good = [(path, values) for path, values in part if not isinstance(values, Failure)]
    if not good:
        return [values for _, values in part if isinstance(values, Failure)]
    paths, prepared = zip(*good, strict=True)
    predictions = answering.answers(paths, model.probabilities(prepared))
    return [values if isinstance(values, Failure) else next(predictions) for _, values in part]
