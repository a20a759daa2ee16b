"""From what a model takes back to what a person sees."""

from collections.abc import Sequence

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


def visible(image: np.ndarray, colours: Sequence[int] = ()) -> np.ndarray:
    """What of an image (H, W, C) can be shown, (H, W, 3).

    `colours` are the places of red, green and blue, or of grey; by default the first three channels, or the first one.
    """
    places = list(colours) or list(range(3 if image.shape[2] >= 3 else 1))
    shown: np.ndarray = image[:, :, places * 3 if len(places) == 1 else places]
    return shown
