"""The images that set the ranges of a quantized network's activations."""

import contextlib
import hashlib
import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, final

import numpy as np

from vernier.augment.preprocess import Preprocessing
from vernier.config.data import DataConfig
from vernier.config.root import Config
from vernier.data.images import ArrayImages, Content, FileImages, Images
from vernier.data.source import Source
from vernier.data.sources import open_source
from vernier.data.store_base import BadImage, check_bad
from vernier.data.subsets import draw_subset
from vernier.data.wording import counted, listed
from vernier.deploy.find_images import find_images
from vernier.errors import DataError
from vernier.evaluation.part import choose_part, open_part
from vernier.evaluation.reading import LenientImages
from vernier.models.task import Task

RANDOM = "random"
"""Noise in place of images."""
_RANDOM_IMAGES = 64
_BATCH_SIZE = 8
_AHEAD = 2
_SHOWN = 3
_logger = logging.getLogger("vernier")

OpenData = Callable[[DataConfig], Source]


@final
class Calibration:
    """Images to calibrate on, read anew in each pass.

    Attributes:
        source: train, directory or random.
        description: where they come from, in words.
    """

    def __init__(
        self,
        source: str,
        description: str,
        images: Images,
        positions: Sequence[int],
        preprocessing: Preprocessing,
        data: DataConfig,
    ) -> None:
        self.source = source
        self.description = description
        self._images = LenientImages(images)
        self._positions = tuple(positions)
        self._preprocessing = preprocessing
        self._threads = 1 if data.threads == "auto" else max(1, data.threads)
        self._on_bad_image = data.on_bad_image

    @property
    def n(self) -> int:
        """How many images there are, without those that were found to be unreadable so far."""
        return len(self._positions) - len(self._images.errors)

    def batches(self) -> Iterator[np.ndarray]:
        """One pass: float32 (n, C, height, width), preprocessed, at most 8 images each.

        Raises:
            DataError: images that can't be read, unless `data.on_bad_image` is skip.
        """
        batch = []
        for position, image in zip(self._positions, self._prepared(), strict=True):
            if position not in self._images.errors:
                batch.append(image)
            if len(batch) == _BATCH_SIZE:
                yield np.stack(batch)
                batch = []
        bad = [BadImage(*item) for item in sorted(self._images.errors.items())]
        check_bad(bad, len(self._positions), self._on_bad_image)
        if batch:
            yield np.stack(batch)

    def to_json(self) -> dict[str, Any]:
        """What the metadata of a quantized model says of it."""
        return {"source": self.source, "n": self.n, "description": self.description}

    def _prepared(self) -> Iterator[np.ndarray]:
        """Preprocessed images in order, some of them prepared ahead."""
        pool = ThreadPoolExecutor(self._threads, thread_name_prefix="vernier-calibrate")
        pending: deque[Future[np.ndarray]] = deque()
        try:
            for position in self._positions:
                pending.append(pool.submit(self._prepare, position))
                if len(pending) > _AHEAD * self._threads:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _prepare(self, position: int) -> np.ndarray:
        return self._preprocessing(self._images[position])


def open_calibration(
    path: Path,
    config: Config,
    preprocessing: Preprocessing,
    task: Task,
    *,
    open_data: OpenData = open_source,
) -> Calibration:
    """Choose the images that `quantize.calibration` names: never validation or test images.

    Args:
        path: The bundle or run directory whose split counts.
        config: `quantize.calibration`, `data` and `seed` count.
        preprocessing: The model's.
        task: The model's.
        open_data: What opens the source.

    Raises:
        DataError: No training images, no images in the directory, or validation or test images in it.
    """
    wanted = config.quantize.calibration
    if wanted == RANDOM:
        return _random(config, preprocessing)
    if isinstance(wanted, str):
        return _directory(path, config, preprocessing, task, open_data)
    part = open_part(path, config.data, task, preprocessing, split="all", open_data=open_data)
    try:
        _, train = choose_part(path, part.source, config.data, "train")
    except DataError as error:
        raise DataError(
            f"quantize.calibration={wanted} takes training images: {error}. Or name a directory of images that look "
            "like them: quantize.calibration=DIR"
        ) from None
    drawn = draw_subset(train, part.targets, part.source.keys(), wanted, config.seed, "calibration")
    words = f"{len(drawn)} of {counted(len(train), 'training image')} of {part.source.name}"
    return Calibration("train", words, part.source.images, drawn.tolist(), preprocessing, config.data)


def _random(config: Config, preprocessing: Preprocessing) -> Calibration:
    _logger.warning(
        "quantize.calibration=random: ranges come from noise, not from images; expect a worse model than with "
        "quantize.calibration=300"
    )
    shape = (_RANDOM_IMAGES, *preprocessing.input_size, preprocessing.channels)
    pixels = np.random.default_rng(config.seed).integers(0, 256, shape, np.uint8)
    images = ArrayImages(pixels, [str(number) for number in range(_RANDOM_IMAGES)], preprocessing.channels)
    words = f"{_RANDOM_IMAGES} images of uniform noise: no image set these ranges"
    return Calibration("random", words, images, range(_RANDOM_IMAGES), preprocessing, config.data)


def _directory(
    path: Path, config: Config, preprocessing: Preprocessing, task: Task, open_data: OpenData
) -> Calibration:
    directory = Path(config.quantize.calibration)
    try:
        files = find_images([directory])
    except DataError as error:
        raise DataError(f"quantize.calibration={directory}: {error}") from None
    data = config.data
    held_out = _held_out(path, data, preprocessing, task, open_data)
    if held_out is not None:
        _refuse_held_out(directory, files, *held_out)
    images = FileImages(Path(), files, preprocessing.channels, data.max_pixels, preprocessing.value_range)
    words = f"{counted(len(files), 'image')} below {directory}"
    return Calibration("directory", words, images, range(len(files)), preprocessing, data)


def _held_out(
    path: Path, data: DataConfig, preprocessing: Preprocessing, task: Task, open_data: OpenData
) -> tuple[Images, list[int]] | None:
    """The run's validation and test images; None, with a warning, where its data can't be opened."""
    try:
        part = open_part(path, data, task, preprocessing, split="all", open_data=open_data)
    except DataError as error:
        _logger.warning("calibration images can't be compared with validation and test images: %s", error)
        return None
    positions: list[int] = []
    for split in ("val", "test"):
        with contextlib.suppress(DataError):
            positions += choose_part(path, part.source, data, split)[1].tolist()
    return part.source.images, positions


def _refuse_held_out(directory: Path, files: Sequence[str], images: Images, positions: Sequence[int]) -> None:
    """Compare contents; those of files only where sizes are equal."""
    sizes = {Path(file).stat().st_size for file in files}
    hashes = {_hash(Path(file).read_bytes()) for file in files}
    candidates = [position for position in positions if _size(images, position) in (None, *sizes)]
    found = [images.key(position) for position in candidates if _hash(images.content(position)) in hashes]
    if found:
        raise DataError(
            f"quantize.calibration={directory}: {counted(len(found), 'image')} in it, such as "
            f"{listed(found[:_SHOWN])}, are validation or test images: calibrating on them makes the figures too "
            "good. Take training images: quantize.calibration=300, or a directory of others"
        )


def _size(images: Images, position: int) -> int | None:
    """Bytes of an image's file; None where it is none, or gone."""
    file = images.path(position)
    return file.stat().st_size if file is not None and file.is_file() else None


def _hash(content: Content) -> bytes:
    return hashlib.sha256(content).digest()
