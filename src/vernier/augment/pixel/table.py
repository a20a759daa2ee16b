"""All operations on pixels, by their class in the config."""

from collections.abc import Mapping

from vernier.augment.pixel.custom import CUSTOM
from vernier.augment.pixel.erasing import ERASING
from vernier.augment.pixel.filters import FILTERS
from vernier.augment.pixel.histogram import HISTOGRAM
from vernier.augment.pixel.hsv import HSV_SHIFTS
from vernier.augment.pixel.levels import LEVELS
from vernier.augment.pixel.noise import NOISE
from vernier.augment.pixel.operation import PixelOperation
from vernier.augment.pixel.policies import POLICIES
from vernier.config.operations.base import Operation

PIXEL: Mapping[type[Operation], PixelOperation] = {
    **LEVELS,
    **HSV_SHIFTS,
    **HISTOGRAM,
    **FILTERS,
    **NOISE,
    **ERASING,
    **POLICIES,
    **CUSTOM,
}
