"""Pictures of where a network looked: `vernier predict --explain DIR`."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, final

import cv2
import numpy as np
import torch

from vernier.atomic import write_atomically
from vernier.config.data import DataConfig
from vernier.data.images import FileImages
from vernier.data.wording import did_you_mean, listed
from vernier.deploy.explain.gradcam import class_score, grad_cam, predicted_place
from vernier.deploy.explain.placement import place_on_image
from vernier.deploy.explain.target_layer import TargetLayer, find_target_layer, named_target_layer
from vernier.errors import ModelError
from vernier.evaluation.classifier import Classifier, load_classifier
from vernier.evaluation.metrics import probabilities_of
from vernier.evaluation.pixels import visible
from vernier.evaluation.reading import LenientImages
from vernier.models.bundle import bundle_directory, read_info

_OPACITY = 0.4
_QUALITY = 90
_MAX_PIXELS: int = DataConfig().max_pixels


def write_overlays(
    bundle_path: Path,
    paths: Sequence[str],
    directory: Path,
    target: str | None = None,
    *,
    layer: str | None = None,
    trust: bool = False,
    max_pixels: int = _MAX_PIXELS,
) -> list[Path]:
    """Write a JPEG for each image: the image, and over it what speaks for the answer (Grad-CAM).

    Args:
        bundle_path: bundle or run directory.
        paths: image files; those that can't be read get no picture.
        directory: for the pictures, in the folders that the images are in below their common one.
        target: the class to explain; None for what is predicted, with several labels the most probable one.
        layer: dotted name of the layer to look at; None for the last one that gives a map.
        trust: import the user's own code when the bundle names it.
        max_pixels: larger images are not read.

    Returns:
        The files, in the order of the images.

    Raises:
        ModelError: the bundle can't be used, has no such class or layer, or no layer that gives a map.
        RunError: a picture can't be written.
    """
    explainer = open_explainer(bundle_path, target, layer=layer, trust=trust)
    seen = explainer.classifier.preprocessing
    images = LenientImages(FileImages(Path(), paths, seen.channels, max_pixels, seen.value_range))
    written = []
    for index, file in enumerate(picture_files(paths, directory)):
        image = images[index]
        if index in images.errors:
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        _write_jpeg(file, explainer.overlay(image))
        written.append(file)
    return written


@final
@dataclass(frozen=True)
class Explainer:
    """A classifier, the layer to look at, and the class to explain.

    Attributes:
        classifier: on the CPU.
        layer: whose output is the map.
        place: of the class among the task's; None for the answer.
    """

    classifier: Classifier
    layer: TargetLayer
    place: int | None

    def heat(self, image: np.ndarray) -> np.ndarray:
        """Float32 (h, w) from 0 to 1, the most important place 1; all 0 where nothing speaks for the class."""
        task = self.classifier.task
        batch = torch.from_numpy(self.classifier.preprocessing(image)[None])
        place = self._predicted(batch) if self.place is None else self.place
        values = grad_cam(self.classifier.module, batch, self.layer, class_score(task, place))[0]
        highest = values.max()
        return np.asarray(values / highest if highest > 0 else values)

    def overlay(self, image: np.ndarray) -> np.ndarray:
        """The image, uint8 (H, W, channels), with the heat over what the network saw of it, uint8 (H, W, 3)."""
        size = (image.shape[0], image.shape[1])
        heat, seen = place_on_image(self.heat(image), self.classifier.preprocessing, size)
        colours = cv2.applyColorMap(np.rint(255 * heat).astype(np.uint8), cv2.COLORMAP_TURBO)[:, :, ::-1]
        picture = visible(image).astype(np.float64)
        mixed = np.rint((1 - _OPACITY) * picture + _OPACITY * colours)
        return np.where(seen[:, :, None], mixed, picture).astype(np.uint8)

    def _predicted(self, batch: torch.Tensor) -> int:
        with torch.inference_mode():
            logits = self.classifier.module(batch).numpy() / np.float32(self.classifier.temperature)
        return predicted_place(self.classifier.task, probabilities_of(logits, self.classifier.task))


def open_explainer(
    bundle_path: Path, target: str | None = None, *, layer: str | None = None, trust: bool = False
) -> Explainer:
    """Load a bundle and find the layer to look at; arguments and errors as `write_overlays`."""
    classifier = load_classifier(bundle_path, trust=trust)
    names, seen = classifier.task.class_names, classifier.preprocessing
    _require_class(target, names)
    place = None if target is None else names.index(target)
    if layer is None:
        found = find_target_layer(classifier.module, seen.channels, seen.input_size)
    else:
        found = named_target_layer(classifier.module, seen.channels, seen.input_size, layer)
    return Explainer(classifier, found, place)


def check_class(bundle_path: Path, target: str | None) -> None:
    """Check the class that is to be explained without loading weights.

    Raises:
        ModelError: The bundle has no such class.
    """
    _require_class(target, read_info(bundle_directory(bundle_path)).class_names)


def _require_class(target: str | None, names: Sequence[str]) -> None:
    if target is not None and target not in names:
        hint = did_you_mean(target, names)
        raise ModelError(f"explain-class={target}: the model has no such class.{hint} It has {listed(names)}")


def picture_files(paths: Sequence[str], directory: Path) -> list[Path]:
    """A JPEG in `directory` for each image; images that differ in their ending alone keep it in the name."""
    folders = [os.path.dirname(os.path.abspath(path)) for path in paths]  # noqa: PTH100, PTH120
    common = os.path.commonpath(folders) if folders else ""
    below = [Path(os.path.relpath(folder, common)) for folder in folders]
    plain = [folder / Path(path).stem for folder, path in zip(below, paths, strict=True)]
    counts = Counter(plain)
    return [
        directory / folder / f"{name.name if counts[name] == 1 else Path(path).name}.jpg"
        for folder, name, path in zip(below, plain, paths, strict=True)
    ]


def _write_jpeg(path: Path, picture: np.ndarray) -> None:
    content = cv2.imencode(".jpg", picture[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()

    def write(file: BinaryIO) -> None:
        file.write(content)

    write_atomically(path, write)
