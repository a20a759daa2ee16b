"""What every store of decoded images is."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, final

import numpy as np

from vernier.data.images import ImageError, Images
from vernier.errors import DataError

OnBadImage = Literal["error", "skip"]
_SHOWN_ERRORS: Final = 20


@final
@dataclass(frozen=True)
class BadImage:
    """An image that can't be read: its position among the images, and why."""

    position: int
    error: ImageError


@final
@dataclass(frozen=True)
class Reading:
    """What came of reading every image once."""

    content_hash: str
    """See `Store.content_hash`."""
    bad: tuple[BadImage, ...]
    scale: int
    """The largest denominator of the scales at which images were decoded."""

    def to_json(self) -> dict[str, Any]:
        """As JSON types."""
        bad = [[image.position, image.error.path, image.error.reason] for image in self.bad]
        return {"content_hash": self.content_hash, "bad": bad, "scale": self.scale}

    @staticmethod
    def from_json(values: dict[str, Any]) -> "Reading":
        """What `to_json` was called on.

        Raises:
            KeyError, TypeError, ValueError: not what it gave.
        """
        bad = (BadImage(int(position), ImageError(path, reason)) for position, path, reason in values["bad"])
        return Reading(str(values["content_hash"]), tuple(bad), int(values["scale"]))


class Store(ABC):
    """Decoded images by position, every one of them checked before the store was opened.

    Safe to use from several threads. Each process opens its own.
    """

    def __init__(self, reading: Reading, reason: str) -> None:
        self.reason = reason
        """Which kind of store this is and why: a phrase for the log."""
        self.reading = reading
        """What came of reading all images once."""
        self._errors = {image.position: image.error for image in reading.bad}

    @property
    def content_hash(self) -> str:
        """SHA-256 of all that the pixels follow from: the decoder, the scale, and each image's key, size and content.

        Content is a file's bytes, or pixels where a source has nothing else. It is the same whatever the kind of
        store, and another one at another scale.
        """
        return self.reading.content_hash

    @property
    def scale(self) -> int:
        """The largest denominator of the scales at which images were decoded: 1 where all are in full."""
        return self.reading.scale

    @property
    def bad(self) -> tuple[BadImage, ...]:
        """Images that can't be read; their positions must not be asked for."""
        return self.reading.bad

    @property
    def array(self) -> np.ndarray | None:
        """All images at once, uint8 (N, H, W, C), read-only; None unless they lie so, of one size and none bad."""
        return None

    @abstractmethod
    def __len__(self) -> int:
        """Number of images, the bad ones included."""

    def __getitem__(self, position: int) -> np.ndarray:
        """Pixels, uint8 (H, W, C), read-only.

        Raises:
            ImageError: the image is among `bad`.
        """
        if position in self._errors:
            raise self._errors[position]
        pixels = self._pixels(position)
        pixels.flags.writeable = False
        return pixels

    @abstractmethod
    def _pixels(self, position: int) -> np.ndarray:
        """Pixels of an image that is not among `bad`; an array (view) that nobody else holds."""


def check_size(images: Images, position: int, pixels: np.ndarray, expected: tuple[int, ...]) -> None:
    """Refuse pixels that do not fit the place made for them by the header.

    Raises:
        ImageError: the file was replaced in between.
    """
    if pixels.shape[:2] != expected:
        raise ImageError(images.key(position), "changed while it was read")


def check_bad(bad: Sequence[BadImage], total: int, on_bad_image: OnBadImage) -> None:
    """Stop when images can't be read and are not to be skipped, or when there is none left.

    Raises:
        DataError: the first 20 bad images with path and reason, how many more, and the remedy.
    """
    if len(bad) == total:
        raise DataError(f"none of the {total} images can be read{_listed(bad)}")
    if bad and on_bad_image == "error":
        raise DataError(
            f"{len(bad)} of {total} images can't be read{_listed(bad)}\n"
            "Mend or remove them, or leave them out with data.on_bad_image=skip."
        )


def bad_images_text(bad: Sequence[BadImage], total: int) -> str:
    """What is left out with data.on_bad_image=skip: the first 20 bad images with path and reason, how many more."""
    return f"{len(bad)} of {total} images can't be read and are left out{_listed(bad)}"


def _listed(bad: Sequence[BadImage]) -> str:
    lines = [f"\n  {image.error}" for image in bad[:_SHOWN_ERRORS]]
    more = len(bad) - _SHOWN_ERRORS
    if more > 0:
        lines.append(f"\n  and {more} more")
    return ":" + "".join(lines) if lines else "."
