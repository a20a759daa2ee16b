"""What `config.operations.tone` names: changes of single colours, and filters."""

from collections.abc import Mapping

import numpy as np

from vernier.augment.pixel.operation import PixelOperation, Sample, as_bytes
from vernier.config.operations.base import Operation
from vernier.config.operations.tone import Posterize


def _posterize(operation: Posterize, image: np.ndarray, sample: Sample) -> np.ndarray:
    low, high = operation.bits if isinstance(operation.bits, tuple) else (operation.bits, operation.bits)
    bits = low + int(sample.u[0] * (high - low + 1))
    return as_bytes(image) & np.uint8(0xFF << (8 - bits) & 0xFF)


TONE: Mapping[type[Operation], PixelOperation] = {
    Posterize: PixelOperation(1, _posterize),
}
