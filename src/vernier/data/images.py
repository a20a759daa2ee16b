"""Images that are not decoded yet, addressed by position."""

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import final

import cv2
import numpy as np

from vernier.data.decode import DECODER_VERSION, ImageError, decode, image_size

__all__ = ["ArrayImages", "FileImages", "ImageError", "Images"]


class Images(ABC):
    """Images addressed by position, 0 to len - 1. Safe to read from several threads."""

    channels: int
    """1 for grey, 3 for RGB: what `read` gives."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def key(self, index: int) -> str:
        """A stable name: the posix path relative to the data root, or `train/00012`."""

    @abstractmethod
    def path(self, index: int) -> Path | None:
        """The file, where the image is one."""

    @abstractmethod
    def read(self, index: int) -> np.ndarray:
        """Pixels, uint8 (H, W, channels), decoded in full and upright.

        Raises:
            ImageError: the image can't be read.
        """

    @abstractmethod
    def size(self, index: int) -> tuple[int, int]:
        """(H, W) of what `read` gives, without decoding.

        Raises:
            ImageError: the header can't be read.
        """

    @abstractmethod
    def fingerprint(self) -> str:
        """Hex digits that change when names, content or decoding may have changed; files are not read."""


@final
class FileImages(Images):
    """Image files under `root`; each key is a posix path relative to it, or an absolute path."""

    def __init__(self, root: Path, keys: Sequence[str], channels: int, max_pixels: int) -> None:
        self.root = root
        self.keys = tuple(keys)
        self.channels = channels
        self.max_pixels = max_pixels

    def __len__(self) -> int:
        return len(self.keys)

    def key(self, index: int) -> str:
        """The key given."""
        return self.keys[index]

    def path(self, index: int) -> Path:
        """Under `root`."""
        return self.root / self.keys[index]

    def read(self, index: int) -> np.ndarray:
        """Pixels as `decode` gives them; a file that is missing or not allowed is an ImageError too."""
        path = self.path(index)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise _not_read(path, error) from error
        return decode(data, channels=self.channels, max_pixels=self.max_pixels, path=str(path))

    def size(self, index: int) -> tuple[int, int]:
        """(H, W) from the file's header, which is all that is read."""
        path = self.path(index)
        try:
            with path.open("rb") as file:
                return image_size(file, max_pixels=self.max_pixels, path=str(path))
        except OSError as error:
            raise _not_read(path, error) from error

    def fingerprint(self) -> str:
        """Of the root, every file's key, size and times, the decoder, `channels` and `max_pixels`.

        The time of the last change of the inode is among them: a file replaced by another one of the same size
        and modification time is noticed.
        """
        head = f"{DECODER_VERSION}\n{self.channels}\n{self.max_pixels}\n{self.root.resolve()}\n"
        digest = hashlib.sha256(head.encode(errors="surrogateescape"))
        root = f"{self.root}{os.sep}"
        for key in self.keys:
            digest.update(f"{key}\0{_stamp(os.path.join(root, key))}\n".encode(errors="surrogateescape"))  # noqa: PTH118
        return digest.hexdigest()


@final
class ArrayImages(Images):
    """Images of one size that are in memory already: uint8 (N, H, W, C), C 1 or 3, with one key each."""

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

    def read(self, index: int) -> np.ndarray:
        """Pixels, uint8 (H, W, channels); grey is repeated, colour becomes grey by ITU-R BT.601."""
        image: np.ndarray = self.array[index]
        stored = image.shape[2]
        if stored == self.channels:
            return image
        if stored == 1:
            return np.repeat(image, 3, axis=2)
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))[:, :, None]

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


def _not_read(path: Path, error: OSError) -> ImageError:
    return ImageError(str(path), f"can't be read ({error.strerror})")
