"""Images of one size: the square in the middle, or the whole image on a black square, scaled."""

import cv2
import numpy as np

from vernier.data.convert.settings import Preprocessing


def fit(image: np.ndarray, preprocessing: Preprocessing, size: tuple[int, int]) -> np.ndarray:
    """uint8 (H, W, C) -> (*size, C), size being height and width; the same image where it has that size already."""
    if image.shape[:2] == size:
        return image
    square = center_crop(image) if preprocessing == "CENTER_CROP_THEN_SCALE" else square_margin(image)
    return scale(square, size)


def center_crop(image: np.ndarray) -> np.ndarray:
    """The largest square in the middle; of two that are, the one nearer to the top left."""
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return image[top : top + side, left : left + side]


def square_margin(image: np.ndarray) -> np.ndarray:
    """The image in the middle of the smallest black square that holds it."""
    height, width, channels = image.shape
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    square = np.zeros((side, side, channels), dtype=np.uint8)
    square[top : top + height, left : left + width] = image
    return square


def scale(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize to (height, width): each axis that shrinks by the mean over a pixel's area, one that grows bilinearly."""
    height, width = image.shape[:2]
    shrunk = (min(height, size[0]), min(width, size[1]))
    return _resize(_resize(image, shrunk, cv2.INTER_AREA), size, cv2.INTER_LINEAR)


def _resize(image: np.ndarray, size: tuple[int, int], interpolation: int) -> np.ndarray:
    if image.shape[:2] == size:
        return image
    channels = image.shape[2]
    # OpenCV resizes up to four channels at once.
    parts = [np.ascontiguousarray(image[:, :, start : start + 4]) for start in range(0, channels, 4)]
    resized = [cv2.resize(part, size[::-1], interpolation=interpolation).reshape(*size, -1) for part in parts]
    return np.concatenate(resized, axis=2)
