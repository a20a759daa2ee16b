"""What `config.operations.erasing` names: parts of an image that are covered."""

from collections.abc import Mapping

import numpy as np

from vernier.augment.pixel.operation import PixelOperation, Sample
from vernier.config.operations.base import Operation
from vernier.config.operations.erasing import Cutout


def _cutout(operation: Cutout, image: np.ndarray, sample: Sample) -> np.ndarray:
    height, width = image.shape[:2]
    top, left = (int(u * side) - operation.length // 2 for u, side in zip(sample.u, (height, width), strict=True))
    covered = image.copy()
    covered[max(top, 0) : top + operation.length, max(left, 0) : left + operation.length] = 0
    return covered


ERASING: Mapping[type[Operation], PixelOperation] = {
    Cutout: PixelOperation(2, _cutout, spatial=True),
}
