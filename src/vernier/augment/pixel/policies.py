"""What `config.operations.policies` names."""

from collections.abc import Mapping

from vernier.augment.pixel.operation import PixelOperation
from vernier.config.operations.base import Operation

POLICIES: Mapping[type[Operation], PixelOperation] = {}
