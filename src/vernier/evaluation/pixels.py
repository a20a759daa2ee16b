"""From what a model takes back to what a person sees."""

import numpy as np

from vernier.augment.preprocess import Preprocessing


def to_pixels(values: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    """Undo scale and offset of the preprocessing, as far as pixels can show it.

    Args:
        values: float32 (..., channels, H, W).
        preprocessing: whose `x * scale + offset` it was.

    Returns:
        uint8, of the same shape.
    """
    scale, offset = (np.array(each)[:, None, None] for each in (preprocessing.scale, preprocessing.offset))
    return np.asarray(((values - offset) / scale).round().clip(0, 255).astype(np.uint8))
