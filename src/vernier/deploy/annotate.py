"""Pictures with what was predicted written above them."""

import os
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import final

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vernier.augment.preprocess import Preprocessing
from vernier.data.images import FileImages, ImageError
from vernier.deploy.prediction_files import refusing
from vernier.deploy.predictions import Prediction
from vernier.errors import RunError
from vernier.evaluation.words import percent

_WRITABLE = frozenset({".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff"})
_OTHERS = ".png"
_QUALITY = [cv2.IMWRITE_JPEG_QUALITY, 90]
_LEAST_FONT = 12
_FONT_SHARE = 20
"""The image is this many times as high as the letters."""
_MARGIN = 4
_AHEAD = 8
"""Pictures in the queue for each thread."""


@final
class AnnotatedPictures:
    """A `Sink`: a picture for each prediction, under the name of the image, written by threads."""

    def __init__(self, directory: Path, base: Path, seen: Preprocessing, *, max_pixels: int, threads: int) -> None:
        """Begin.

        Args:
            directory: Where pictures go; made where it is missing.
            base: The directory that names below `directory` start at.
            seen: Says how images are decoded.
            max_pixels: As for predictions.
            threads: That decode, draw and write.
        """
        self._directory, self._base, self._max_pixels = directory, base, max_pixels
        self._channels = 3 if seen.channels in (1, 3, 4) else seen.channels
        self._value_range = seen.value_range
        self._most = _AHEAD * threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="vernier-annotate")
        self._pending: deque[Future[None]] = deque()

    def write(self, rows: Sequence[Prediction]) -> None:
        """Take some; waits when many are not drawn yet."""
        for row in rows:
            self._pending.append(self._pool.submit(self._draw, row))
        while len(self._pending) > self._most:
            self._pending.popleft().result()

    def finish(self) -> None:
        """Wait for all."""
        while self._pending:
            self._pending.popleft().result()
        self._pool.shutdown()

    def abandon(self) -> None:
        """Stop; pictures that are drawn stay."""
        self._pool.shutdown(cancel_futures=True)

    def _draw(self, row: Prediction) -> None:
        images = FileImages(Path(), [row.path], self._channels, self._max_pixels, self._value_range)
        try:
            pixels = images.read(0)
        except ImageError:
            # It was there when it was classified.
            return
        place = self._directory / place_of(row.path, self._base)
        content = _encoded(with_caption(pixels[:, :, :3], caption(row)), place.suffix)
        refusing(place, lambda: _put(place, content))


def caption(row: Prediction) -> str:
    """`daisy 98.3 %`, or `unknown (daisy 43.0 %)`."""
    said = f"{row.guess} {percent(float(row.confidence))}"
    return f"{row.prediction} ({said})" if row.rejected else said


def with_caption(image: np.ndarray, text: str) -> np.ndarray:
    """The image below a line of text, uint8 (H + line, W or the text's width, 3)."""
    height, width, _ = image.shape
    font = ImageFont.load_default(max(_LEAST_FONT, height // _FONT_SHARE))
    left, _, right, bottom = font.getbbox(text)
    line = int(bottom) + 2 * _MARGIN
    picture = Image.new("RGB", (max(width, int(right - left) + 2 * _MARGIN), height + line), "white")
    picture.paste(Image.fromarray(np.ascontiguousarray(image)), (0, line))
    ImageDraw.Draw(picture).text((_MARGIN, _MARGIN), text, "black", font)
    return np.asarray(picture)


def place_of(path: str, base: Path) -> Path:
    """Where the picture of an image goes: its path from `base`; different images have different places.

    Endings that are not written as pictures get `.png` behind them.
    """
    absolute = os.path.abspath(path)  # noqa: PTH100
    ending = ""
    if Path(path).suffix.casefold() not in _WRITABLE:
        ending = _OTHERS
        while os.path.lexists(absolute + ending):
            ending += _OTHERS
    return Path(os.path.relpath(absolute + ending, base))


def base_of(inputs: Sequence[Path]) -> Path:
    """The deepest directory that holds all that inputs stand for; the root for lists, which may name anything."""
    if any(str(item) == "-" or (str(item).startswith("@") and not os.path.lexists(item)) for item in inputs):
        return Path("/")
    return Path(os.path.commonpath([_directory_of(item) for item in inputs]))


def check_apart(directory: Path, inputs: Sequence[Path]) -> None:
    """Stop where pictures would come to lie among the images.

    Raises:
        RunError: One lies in the other.
    """
    place = directory.resolve()
    for item in inputs:
        images = item.resolve()
        if place.is_relative_to(images) or images.is_relative_to(place):
            raise RunError(f"{directory}: pictures would lie among the images of {item}; choose a directory apart")


def _directory_of(item: Path) -> str:
    """Absolute; of a pattern, the part before its first sign."""
    absolute = Path(os.path.abspath(item))  # noqa: PTH100
    if absolute.is_dir():
        return str(absolute)
    return next(str(parent) for parent in absolute.parents if parent.is_dir())


def _encoded(image: np.ndarray, ending: str) -> np.ndarray:
    options = _QUALITY if ending.casefold() in (".jpg", ".jpeg", ".jpe") else []
    name = ".jpg" if options else ending.casefold()
    return np.asarray(cv2.imencode(name, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)[1])


def _put(place: Path, content: np.ndarray) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_name(f".{place.name}.part")
    part.write_bytes(content.data)
    part.replace(place)
