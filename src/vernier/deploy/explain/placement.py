"""Where the places of a feature map lie on the image that was preprocessed."""

from collections.abc import Sequence

import numpy as np

from vernier.augment.preprocess import Preprocessing, axis_steps
from vernier.augment.resample import AxisStep


def place_on_image(
    values: np.ndarray, preprocessing: Preprocessing, image_size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """A map of the network's input, laid over the original image, bilinear between the middles of its places.

    Args:
        values: (h, w), evenly over the preprocessed image.
        preprocessing: what cut the preprocessed image out of the original one.
        image_size: height and width of the original image.

    Returns:
        float64 (H, W), and bool (H, W): the pixels that the network saw. Elsewhere the map is 0.
    """
    axes = axis_steps(preprocessing.geometry, image_size, preprocessing.interpolation)
    sizes = zip(axes, image_size, preprocessing.input_size, values.shape, strict=True)
    (rows, rows_seen), (columns, columns_seen) = (_weights(*each) for each in sizes)
    seen = np.outer(rows_seen, columns_seen)
    return (rows @ values @ columns.T) * seen, seen


def _weights(steps: Sequence[AxisStep], length: int, window: int, places: int) -> tuple[np.ndarray, np.ndarray]:
    """(length, places) weights of an axis, and which of its pixels the network saw, bool (length,)."""
    at, seen = _seen_at(steps, length)
    position = np.clip(at * places / window - 0.5, 0, places - 1)
    lower = np.minimum(position.astype(int), max(0, places - 2))
    share = position - lower
    weights = np.zeros((length, places))
    pixels = np.arange(length)
    weights[pixels, lower] = 1 - share
    weights[pixels, np.minimum(lower + 1, places - 1)] += share
    return weights, seen


def _seen_at(steps: Sequence[AxisStep], length: int) -> tuple[np.ndarray, np.ndarray]:
    """Where the middle of each pixel comes to lie, float64 (length,), and whether no step cuts it off."""
    at, seen = np.arange(length) + 0.5, np.ones(length, dtype=bool)
    for step in steps:
        at = at * step.resized / length - step.start
        length = step.stop - step.start
        seen &= (at >= 0) & (at <= length)
    return at, seen
