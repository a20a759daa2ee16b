"""Images read on the fly, where one that can't be read must not stop the others."""

from typing import final

import numpy as np

from vernier.data.images import ImageError, Images


@final
class LenientImages:
    """Images by position; one that can't be read is noted in `errors` and comes black, as a single pixel by default.

    Whoever uses it drops the results of the noted positions. Safe to use from several threads.

    Args:
        images: what is read.
        blank: height and width of what comes instead.
    """

    def __init__(self, images: Images, *, blank: tuple[int, int] = (1, 1)) -> None:
        self._images = images
        self._blank = blank
        self.errors: dict[int, ImageError] = {}
        """Position -> why it can't be read, of the images asked for so far."""

    def __getitem__(self, index: int) -> np.ndarray:
        """uint8 (H, W, C)."""
        try:
            return self._images.read(index)
        except ImageError as error:
            # A new error: this one's traceback would keep the bytes of the file.
            self.errors[index] = ImageError(error.path, error.reason)
            return np.zeros((*self._blank, self._images.channels), dtype=np.uint8)
