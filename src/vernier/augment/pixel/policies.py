"""What `config.operations.policies` names: operations that are drawn for every image.

Which operations there are, and how strong, is torchvision's: RandAugment's and AugMix's after AutoAugment, and
TrivialAugment's wide space. A strength is a share of the way from nothing to an operation's largest magnitude.
"""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from vernier.augment.pixel.operation import PixelOperation, Sample
from vernier.augment.pixel.policy_operations import Frame, change
from vernier.augment.pixel.values import bytes_of
from vernier.config.operations.base import Operation
from vernier.config.operations.policies import AugMix, RandAugment, TrivialAugment

Magnitude = Callable[[float, int, int], float]
"""From a strength (0 to 1) and an image's height and width to a magnitude."""
Space = Mapping[str, Magnitude]

_EITHER_WAY: Final = (
    *("ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate"),
    *("Brightness", "Color", "Contrast", "Sharpness"),
)
"""Operations whose magnitude is negative for half of the images."""
_SEVEREST: Final = 10


def _up_to(largest: float) -> Magnitude:
    return lambda strength, height, width: strength * largest


def _bits(most: int, fewest: int) -> Magnitude:
    return lambda strength, height, width: round(most - strength * (most - fewest))


def _nothing(strength: float, height: int, width: int) -> float:
    return 0.0


_COLOURS: Final = ("Brightness", "Color", "Contrast", "Sharpness")
_TABLES: Final[Space] = {
    "Solarize": lambda strength, height, width: 1 - strength,
    "AutoContrast": _nothing,
    "Equalize": _nothing,
}
RAND_AUGMENT: Final[Space] = {
    "Identity": _nothing,
    "ShearX": _up_to(0.3),
    "ShearY": _up_to(0.3),
    "TranslateX": lambda strength, height, width: strength * width * 150 / 331,
    "TranslateY": lambda strength, height, width: strength * height * 150 / 331,
    "Rotate": _up_to(30),
    **dict.fromkeys(_COLOURS, _up_to(0.9)),
    "Posterize": _bits(8, 4),
    **_TABLES,
}
TRIVIAL_AUGMENT: Final[Space] = {
    "Identity": _nothing,
    "ShearX": _up_to(0.99),
    "ShearY": _up_to(0.99),
    "TranslateX": _up_to(32),
    "TranslateY": _up_to(32),
    "Rotate": _up_to(135),
    **dict.fromkeys(_COLOURS, _up_to(0.99)),
    "Posterize": _bits(8, 2),
    **_TABLES,
}
AUG_MIX: Final[Space] = {
    "ShearX": _up_to(0.3),
    "ShearY": _up_to(0.3),
    "TranslateX": lambda strength, height, width: strength * width / 3,
    "TranslateY": lambda strength, height, width: strength * height / 3,
    "Rotate": _up_to(30),
    "Posterize": _bits(4, 0),
    **_TABLES,
    **dict.fromkeys(_COLOURS, _up_to(0.9)),
}
AUG_MIX_OF_THE_PAPER: Final[Space] = {name: AUG_MIX[name] for name in AUG_MIX if name not in _COLOURS}


def drawn(space: Space, which: float, strength: float, sign: float, height: int, width: int) -> tuple[str, float]:
    """The operation and the magnitude that two uniform numbers, `which` and `sign`, stand for."""
    name = list(space)[int(which * len(space))]
    magnitude = space[name](strength, height, width)
    return name, -magnitude if name in _EITHER_WAY and sign < 0.5 else magnitude


def _one(space: Space, u: np.ndarray, strength: float, image: np.ndarray, frame: Frame) -> np.ndarray:
    """The image after an operation that u (2,) draws."""
    height, width = image.shape[:2]
    name, magnitude = drawn(space, float(u[0]), strength, float(u[1]), height, width)
    return change(name, magnitude, image, frame)


def _frame(operation: RandAugment | TrivialAugment | AugMix) -> Frame:
    return Frame(operation.fill, operation.interpolation)


def _rand_augment(operation: RandAugment, image: np.ndarray, sample: Sample) -> np.ndarray:
    changed, strength = bytes_of(image, sample.scratch), operation.magnitude / (operation.num_magnitude_bins - 1)
    for u in sample.generator().random((operation.num_ops, 2)):
        changed = _one(RAND_AUGMENT, u, strength, changed, _frame(operation))
    return changed


def _trivial_augment(operation: TrivialAugment, image: np.ndarray, sample: Sample) -> np.ndarray:
    bins = operation.num_magnitude_bins
    strength = int(sample.u[2] * bins) / (bins - 1)
    return _one(TRIVIAL_AUGMENT, sample.u[:2], strength, bytes_of(image, sample.scratch), _frame(operation))


def _aug_mix(operation: AugMix, image: np.ndarray, sample: Sample) -> np.ndarray:
    chance, original = sample.generator(), bytes_of(image, sample.scratch)
    share = chance.beta(operation.alpha, operation.alpha)
    mixed = original * np.float32(1 - share)
    for part in chance.dirichlet([operation.alpha] * operation.mixture_width):
        mixed += np.float32(share * part) * _chain(operation, original, chance)
    return mixed


def _chain(operation: AugMix, image: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    depth = int(chance.integers(1, 4)) if operation.chain_depth == -1 else operation.chain_depth
    space = AUG_MIX if operation.all_ops else AUG_MIX_OF_THE_PAPER
    for u in chance.random((depth, 3)):
        strength = int(u[2] * operation.severity) / (_SEVEREST - 1)
        image = _one(space, u[:2], strength, image, _frame(operation))
    return image


POLICIES: Mapping[type[Operation], PixelOperation] = {
    RandAugment: PixelOperation(0, _rand_augment, spatial=True),
    TrivialAugment: PixelOperation(3, _trivial_augment, spatial=True),
    AugMix: PixelOperation(0, _aug_mix, spatial=True),
}
