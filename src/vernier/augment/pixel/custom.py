"""What `config.operations.custom` names: functions of other people."""

from collections.abc import Mapping

from vernier.augment.pixel.operation import PixelOperation
from vernier.config.operations.base import Operation

CUSTOM: Mapping[type[Operation], PixelOperation] = {}
