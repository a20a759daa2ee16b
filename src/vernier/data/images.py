"""Images that are not decoded yet, addressed by position."""

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, final

import cv2
import numpy as np

from vernier.data.decode import DECODER_VERSION, ImageError, decode, image_header
from vernier.data.headers import Header
from vernier.data.many_channels import ValueRange

__all__ = ["ArrayImages", "EncodedImages", "FileImages", "ImageError", "Images"]

Content = bytes | memoryview
_FROM_GREY = {3: cv2.COLOR_GRAY2RGB, 4: cv2.COLOR_GRAY2RGBA}


class Images(ABC):
    """Images addressed by position, 0 to len - 1. Safe to read from several threads."""

    channels: int
    """What `read` gives: 1 for grey, 3 for RGB, or more."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def key(self, index: int) -> str:
        """A stable name: the posix path relative to the data root, or `train/00012`."""

    @abstractmethod
    def path(self, index: int) -> Path | None:
        """The file, where the image is one."""

    def read(self, index: int) -> np.ndarray:
        """Pixels, uint8 (H, W, channels), upright.

        Raises:
            ImageError: the image can't be read.
        """
        return self.decode(index, self.content(index))

    @abstractmethod
    def content(self, index: int) -> Content:
        """What the pixels are made from: a file's bytes, or pixels as they lie in memory.

        Raises:
            ImageError: the file can't be read.
        """

    @abstractmethod
    def decode(self, index: int, content: Content) -> np.ndarray:
        """Pixels, uint8 (H, W, channels), upright, of what `content` gave for this index.

        Raises:
            ImageError: the content is no image that is read, or damaged.
        """

    @property
    @abstractmethod
    def decoding(self) -> str:
        """How content becomes pixels: with equal words, equal content gives equal pixels."""

    @property
    def is_decoded(self) -> bool:
        """Whether pixels are there already, so that reading costs no decoding."""
        return False

    @property
    def whole(self) -> np.ndarray | None:
        """What `read` gives for all images at once, uint8 (N, H, W, C), read-only; None unless they lie so."""
        return None

    @property
    def scale(self) -> int:
        """The largest denominator (1, 2, 4 or 8) of the scales at which images are decoded."""
        return 1

    @abstractmethod
    def size(self, index: int) -> tuple[int, int]:
        """(H, W) of what `read` gives, without decoding.

        Raises:
            ImageError: the header can't be read.
        """

    @abstractmethod
    def fingerprint(self) -> str:
        """Hex digits that change when names, content or decoding may have changed; files are not read."""


class EncodedImages(Images):
    """Images that are encoded as image files are: decoding is all alike, where the bytes lie differs."""

    def __init__(
        self, keys: Sequence[str], channels: int, max_pixels: int, value_range: ValueRange | None = None
    ) -> None:
        self.keys = tuple(keys)
        self.channels = channels
        self.max_pixels = max_pixels
        self.value_range = value_range

    def __len__(self) -> int:
        return len(self.keys)

    def key(self, index: int) -> str:
        """The key given."""
        return self.keys[index]

    @abstractmethod
    def where(self, index: int) -> str:
        """The file, or the place in a file, for messages."""

    @abstractmethod
    def content(self, index: int) -> bytes:
        """The bytes of an image file.

        Raises:
            ImageError: they can't be read.
        """

    @abstractmethod
    def open(self, index: int) -> BinaryIO:
        """The image file, to read its header from.

        Raises:
            OSError: it can't be opened.
        """

    def decode(self, index: int, content: Content, denominator: int = 1) -> np.ndarray:
        """Pixels as `vernier.data.decode` gives them, JPEG at one over `denominator`."""
        return decode(
            bytes(content),
            channels=self.channels,
            max_pixels=self.max_pixels,
            path=self.where(index),
            denominator=denominator,
            value_range=self.value_range,
        )

    @property
    def decoding(self) -> str:
        """The decoder, the channels and the range of values."""
        values = "" if self.value_range is None else f" values={self.value_range}"
        return f"{DECODER_VERSION} channels={self.channels}{values}"

    def size(self, index: int) -> tuple[int, int]:
        """(H, W) from the header, which is all that is read."""
        return self.header(index).upright_size

    def header_row(self, index: int) -> tuple[int, int, int]:
        """(H, W) in full from the header, and 1 if the image can be decoded at a reduced scale, else 0.

        Raises:
            ImageError: see `header`.
        """
        header = self.header(index)
        return (*header.upright_size, int(header.reducible))

    def header(self, index: int) -> Header:
        """The image's header.

        Raises:
            ImageError: it can't be read, or says that the image is too large.
        """
        try:
            with self.open(index) as file:
                return image_header(file, max_pixels=self.max_pixels, path=self.where(index))
        except OSError as error:
            raise _not_read(self.where(index), error) from error


@final
class FileImages(EncodedImages):
    """Image files under `root`; each key is a posix path relative to it, or an absolute path."""

    def __init__(
        self,
        root: Path,
        keys: Sequence[str],
        channels: int,
        max_pixels: int,
        value_range: ValueRange | None = None,
    ) -> None:
        super().__init__(keys, channels, max_pixels, value_range)
        self.root = root

    def path(self, index: int) -> Path:
        """Under `root`."""
        return self.root / self.keys[index]

    def where(self, index: int) -> str:
        """The file."""
        return str(self.path(index))

    def content(self, index: int) -> bytes:
        """The file's bytes; a file that is missing or not allowed is an ImageError too."""
        try:
            return self.path(index).read_bytes()
        except OSError as error:
            raise _not_read(self.where(index), error) from error

    def open(self, index: int) -> BinaryIO:
        """The file."""
        return self.path(index).open("rb")

    def fingerprint(self) -> str:
        """Of the root, every file's key, size and times, how it is decoded, and `max_pixels`.

        The time of the last change of the inode is among them: a file replaced by another one of the same size
        and modification time is noticed.
        """
        head = f"{self.decoding}\n{self.max_pixels}\n{self.root.resolve()}\n"
        digest = hashlib.sha256(head.encode(errors="surrogateescape"))
        root = f"{self.root}{os.sep}"
        for key in self.keys:
            digest.update(f"{key}\0{_stamp(os.path.join(root, key))}\n".encode(errors="surrogateescape"))  # noqa: PTH118
        return digest.hexdigest()


@final
class ArrayImages(Images):
    """Images of one size that are in memory already: uint8 (N, H, W, C), with one key each.

    Of 1 or 3 channels, 1, 3 or 4 can be made; others stay as many as they are.
    """

    def __init__(self, array: np.ndarray, keys: Sequence[str], channels: int) -> None:
        self.array = array.view()
        self.array.flags.writeable = False
        self.keys = tuple(keys)
        self.channels = channels

    def __len__(self) -> int:
        return len(self.array)

    def key(self, index: int) -> str:
        """The key given."""
        return self.keys[index]

    def path(self, index: int) -> None:
        """None: there is no file."""

    @property
    def is_decoded(self) -> bool:
        """True."""
        return True

    @property
    def whole(self) -> np.ndarray | None:
        """The array, unless its channels are computed."""
        return self.array if self.array.shape[3] == self.channels else None

    def content(self, index: int) -> memoryview:
        """The stored pixels."""
        return np.ascontiguousarray(self.array[index]).data

    def decode(self, index: int, content: Content) -> np.ndarray:
        """Pixels, uint8 (H, W, channels); grey is repeated, colour becomes grey by ITU-R BT.601."""
        image: np.ndarray = self.array[index]
        stored = image.shape[2]
        if stored == self.channels:
            return image
        if self.channels == 1:
            return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))[:, :, None]
        if stored == 1:
            return np.asarray(cv2.cvtColor(image, _FROM_GREY[self.channels]))
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2RGBA))

    @property
    def decoding(self) -> str:
        """The channels."""
        return f"array channels={self.channels}"

    def size(self, index: int) -> tuple[int, int]:
        """(H, W), the same for all."""
        height, width = self.array.shape[1:3]
        return height, width

    def fingerprint(self) -> str:
        """Of the pixels, the keys and `channels`."""
        digest = hashlib.sha256(f"{self.channels} {self.array.shape}\n".encode())
        digest.update("\n".join(self.keys).encode())
        digest.update(np.ascontiguousarray(self.array).data)
        return digest.hexdigest()


def _stamp(path: str) -> str:
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError as error:
        return str(error.strerror)
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"


def _not_read(where: str, error: OSError) -> ImageError:
    return ImageError(where, f"can't be read ({error.strerror})")
