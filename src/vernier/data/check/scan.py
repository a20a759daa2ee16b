"""One pass over all images of a set: read, hash, decode, measure, in threads."""

import hashlib
import io
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, final, get_args

import cv2
import numpy as np

from vernier.data.check.measures import TINY_SIDE, WORK_AREA, Measures, measure
from vernier.data.check.pixel_format import odd_format
from vernier.data.decode import ImageError, image_header
from vernier.data.headers import Header, Kind
from vernier.data.images import EncodedImages, Images

Progress = Callable[[int, int], None]
"""Called with (images done, images in all)."""

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
NO_FILE: Final = len(KINDS)
"""Stands for the kind of an image that is no file."""

_ROW: Final = np.dtype(
    [
        ("content", "u8"),
        ("pixels", "u8"),
        ("hash", "u8"),
        ("height", "i4"),
        ("width", "i4"),
        ("kind", "u1"),
        ("orientation", "u1"),
        ("odd", "u1"),
        ("dark_end", "u1"),
        ("bright_end", "u1"),
        ("spread", "f4"),
        ("chroma", "f4"),
        ("sharpness", "f4"),
        ("tiny", "u1", (TINY_SIDE**2,)),
    ]
)
_CHUNK: Final = 32
_DENOMINATORS: Final = (8, 4, 2)


@final
@dataclass(frozen=True)
class Scan:
    """What was found out about each image.

    Attributes:
        rows: Structured array (N,), 0.3 kB an image: `content` and `pixels` are 64-bit hashes of the file's bytes and
            of the decoded pixels with their size, `height` and `width` the upright size, `kind` an index into KINDS
            or NO_FILE, `orientation` EXIF's, `odd` as in `pixel_format`, the rest as in `Measures`.
        errors: Position -> why the image can't be read; its row holds zeros.
    """

    rows: np.ndarray
    errors: Mapping[int, str]

    @property
    def readable(self) -> np.ndarray:
        """Positions of the images that can be read, sorted."""
        return np.setdiff1d(np.arange(len(self.rows)), np.array(sorted(self.errors), dtype=np.int64))


def scan_images(images: Images, threads: int, progress: Progress) -> Scan:
    """Look at every image once, in `threads` threads (at least 1). No more than one image a thread is held."""
    # Threads of OpenCV's own beside ours only wait for each other.
    cv2.setNumThreads(1)
    rows = np.zeros(len(images), dtype=_ROW)
    errors: dict[int, str] = {}

    def scan(chunk: range) -> int:
        for position in chunk:
            try:
                rows[position] = _scan_one(images, position)
            except ImageError as error:
                errors[position] = error.reason
        return chunk.stop

    chunks = [range(start, min(start + _CHUNK, len(images))) for start in range(0, len(images), _CHUNK)]
    pool = ThreadPoolExecutor(threads, thread_name_prefix="vernier-check")
    try:
        for done in pool.map(scan, chunks):
            progress(done, len(images))
    finally:
        pool.shutdown(cancel_futures=True)
    return Scan(rows, errors)


def _scan_one(images: Images, position: int) -> tuple[object, ...]:
    content = images.content(position)
    if not isinstance(images, EncodedImages):
        pixels = images.decode(position, content)
        return _row(content, pixels, pixels.shape[:2], (NO_FILE, 1, 0), measure(pixels))
    data = bytes(content)
    header = image_header(io.BytesIO(data), max_pixels=images.max_pixels, path=images.where(position))
    pixels = images.decode(position, data, _denominator(header))
    stored = KINDS.index(header.kind), header.orientation, odd_format(data, header)
    return _row(data, pixels, header.upright_size, stored, measure(pixels))


def _row(
    content: bytes | memoryview,
    pixels: np.ndarray,
    size: tuple[int, ...],
    stored: tuple[int, int, int],
    measures: Measures,
) -> tuple[object, ...]:
    seen = _hash(np.ascontiguousarray(pixels).data, repr(size).encode())
    return (
        _hash(content, b""),
        seen,
        measures.hash,
        *size,
        *stored,
        measures.dark_end,
        measures.bright_end,
        measures.spread,
        measures.chroma,
        measures.sharpness,
        measures.tiny,
    )


def _hash(content: bytes | memoryview, salt: bytes) -> int:
    digest = hashlib.blake2b(content, digest_size=8, key=salt)
    return int.from_bytes(digest.digest(), "little")


def _denominator(header: Header) -> int:
    """How far a JPEG may be reduced while it is decoded without losing what is measured."""
    if not header.reducible:
        return 1
    fitting = (d for d in _DENOMINATORS if (header.height // d) * (header.width // d) >= WORK_AREA)
    return next(fitting, 1)
