"""All operations on pixels, by their class in the config."""

from collections.abc import Mapping

from vernier.augment.pixel.custom import CUSTOM
from vernier.augment.pixel.erasing import ERASING
from vernier.augment.pixel.operation import PixelOperation
from vernier.augment.pixel.policies import POLICIES
from vernier.augment.pixel.tone import TONE
from vernier.config.operations.base import Operation

PIXEL: Mapping[type[Operation], PixelOperation] = {**TONE, **ERASING, **POLICIES, **CUSTOM}
