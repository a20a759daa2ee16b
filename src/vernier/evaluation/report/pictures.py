"""Small pictures inside the HTML: thumbnails as data URIs."""

import base64
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from vernier.evaluation.pixels import visible

_SIDE = 192
_PIXEL_ART_SIDE = 64
_JPEG_QUALITY = 75


@dataclass(frozen=True)
class Thumbnail:
    """A picture of at most 192 x 192 pixels. A `pixelated` one is drawn larger without smoothing."""

    uri: str
    width: int
    height: int
    pixelated: bool


def make_thumbnail(image: np.ndarray) -> Thumbnail:
    """Shrink a uint8 image (H, W, C) to 192 pixels on its longer side; a smaller one keeps its pixels.

    Of more than three channels the first three are shown.
    """
    picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else np.ascontiguousarray(visible(image)))
    pixelated = max(picture.size) <= _PIXEL_ART_SIDE
    picture.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    uri = _png(picture) if pixelated else _jpeg(picture)
    return Thumbnail(uri, picture.width, picture.height, pixelated)


def png_uri(content: bytes) -> str:
    """A PNG file's bytes as a data URI."""
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


def _png(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return png_uri(buffer.getvalue())


def _jpeg(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_JPEG_QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
