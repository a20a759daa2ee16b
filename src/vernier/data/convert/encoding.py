"""Pixels as the bytes of an image file."""

import cv2
import numpy as np
import simplejpeg

from vernier.errors import DataError

_JPEG_COLOURS = {1: "GRAY", 3: "RGB"}
_TO_OPENCV = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}


def encode_jpeg(pixels: np.ndarray, quality: int) -> bytes:
    """uint8 (H, W, C), C 1 or 3, as a JPEG file with colour at half the resolution (4:2:0)."""
    image = np.ascontiguousarray(pixels)
    content: bytes = simplejpeg.encode_jpeg(
        image, quality=quality, colorspace=_JPEG_COLOURS[image.shape[2]], colorsubsampling="420"
    )
    return content


def encode_png(pixels: np.ndarray) -> bytes:
    """uint8 (H, W, C), C 1, 3 or 4, as a PNG file.

    Raises:
        DataError: another number of channels.
    """
    channels = pixels.shape[2]
    if channels not in (1, *_TO_OPENCV):
        raise DataError(
            f"images of {channels} channels can't be written as JPEG or PNG; take --format store, or leave the files "
            "as they are (--preprocessing NO)"
        )
    image = pixels if channels == 1 else cv2.cvtColor(np.ascontiguousarray(pixels), _TO_OPENCV[channels])
    return bytes(cv2.imencode(".png", np.ascontiguousarray(image))[1])
