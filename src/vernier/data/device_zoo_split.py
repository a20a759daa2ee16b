"""The split that the STM32 model zoo draws, so that results can be compared with its own."""

from collections.abc import Sequence

import numpy as np


def draw_device_zoo(keys: Sequence[str], class_of: Sequence[str], share: float, seed: int) -> np.ndarray:
    """The validation images of the STM32 model zoo (its services 3.0) for class folders.

    It lists the files of each class by name, the classes one after the other by name, shuffles this list with
    `numpy.random.RandomState(seed)`, and trains on the first `int(N * (1 - share))`. It is not stratified.

    Our samples are sorted by their whole path instead. Where a class's name begins with another's, that is another
    order: `rose-hip/1.jpg` comes before `rose/1.jpg`, because `-` comes before `/`. So they are sorted here by class
    and then by path. The zoo takes every file in a class folder for an image: with other files among them its split
    differs from this one, which only knows images.

    Args:
        keys: Paths of the N images, all different; those of a class differ in the file name only.
        class_of: The class's name of each image.
        share: `validation_split`.
        seed: `dataset.seed`, below 2^32.

    Returns:
        bool (N,): the images to validate on.
    """
    files = sorted(range(len(keys)), key=lambda index: (class_of[index], keys[index]))
    np.random.RandomState(seed).shuffle(files)
    drawn = np.zeros(len(keys), dtype=bool)
    drawn[files[int(len(files) * (1 - share)) :]] = True
    return drawn
