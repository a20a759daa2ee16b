"""One image of a source as it goes into a set: its file's bytes, or its pixels."""

import io
import os.path
from dataclasses import dataclass
from typing import Final, final

import numpy as np

from vernier.data.convert.encoding import encode_jpeg, encode_png
from vernier.data.convert.geometry import fit
from vernier.data.convert.settings import ConvertSettings
from vernier.data.decode import image_header
from vernier.data.headers import Header
from vernier.data.images import EncodedImages, Images
from vernier.data.shards.tar import IMAGE_EXTENSIONS

_SUFFIXES: Final = {"JPEG": ".jpg", "CMYK JPEG": ".jpg", "PNG": ".png", "GIF": ".gif", "BMP": ".bmp", "WebP": ".webp"}
_JPEG_END, _PNG_END = b"\xff\xd9", b"IEND\xaeB`\x82"


@final
@dataclass(frozen=True)
class Picture:
    """An image to be written.

    Attributes:
        content: The bytes of an image file, or pixels.
        suffix: Of such a file, such as `.jpg`; empty for pixels.
        size: Height and width, upright.
    """

    content: bytes
    suffix: str
    size: tuple[int, int]


@final
class PictureFiles:
    """Images as image files: untouched where nothing is to be changed, else encoded anew. Safe to use from threads."""

    def __init__(self, images: Images, settings: ConvertSettings) -> None:
        self._images, self._settings = images, settings

    def make(self, position: int) -> Picture:
        """The image at `position`.

        Raises:
            ImageError: it can't be read.
        """
        if not isinstance(self._images, EncodedImages):
            return self._encode(position, self._images.read(position), lossless=True)
        content = self._images.content(position)
        header = image_header(
            io.BytesIO(content), max_pixels=self._images.max_pixels, path=self._images.where(position)
        )
        if self._stays(header):
            if self._settings.check == "full" or not _is_whole(header, content):
                self._images.decode(position, content)
            return Picture(content, self._suffix(position, header), header.upright_size)
        return self._encode(position, self._images.decode(position, content), _is_lossless(header, content))

    def _stays(self, header: Header) -> bool:
        size = self._settings.target_size
        return size is None or (header.upright_size == size and header.orientation == 1)

    def _suffix(self, position: int, header: Header) -> str:
        suffix = os.path.splitext(self._images.key(position))[1]  # noqa: PTH122
        known = suffix[1:].casefold() in IMAGE_EXTENSIONS
        return suffix if known else _SUFFIXES.get(header.kind, f".{header.kind.casefold()}")

    def _encode(self, position: int, pixels: np.ndarray, lossless: bool) -> Picture:
        fitted = _fitted(pixels, self._settings)
        if lossless or fitted.shape[2] not in (1, 3):
            return Picture(encode_png(fitted), ".png", fitted.shape[:2])
        return Picture(encode_jpeg(fitted, self._settings.quality), ".jpg", fitted.shape[:2])


@final
class PicturePixels:
    """Images as pixels, uint8 (H, W, C). Safe to use from threads."""

    def __init__(self, images: Images, settings: ConvertSettings) -> None:
        self._images, self._settings = images, settings

    def make(self, position: int) -> Picture:
        """The image at `position`.

        Raises:
            ImageError: it can't be read.
        """
        fitted = _fitted(self._images.read(position), self._settings)
        return Picture(fitted.tobytes(), "", fitted.shape[:2])


def _fitted(pixels: np.ndarray, settings: ConvertSettings) -> np.ndarray:
    size = settings.target_size
    return pixels if size is None else fit(pixels, settings.preprocessing, size)


def _is_whole(header: Header, content: bytes) -> bool:
    """Whether a file ends as its kind does: then it is not cut short."""
    if header.kind in ("JPEG", "CMYK JPEG"):
        return content.rstrip(b"\0").endswith(_JPEG_END)
    return header.kind == "PNG" and content.endswith(_PNG_END)


def _is_lossless(header: Header, content: bytes) -> bool:
    if header.kind == "WebP":
        return content[12:16] == b"VP8L"
    return header.kind not in ("JPEG", "CMYK JPEG")
