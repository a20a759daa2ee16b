"""What can be wrong with operations on pixels, seen before the first image."""

from collections.abc import Iterator, Sequence

from vernier.augment.pixel.custom import check_function
from vernier.augment.pixel.torchvision_transforms import check_transform
from vernier.config.operations.base import Operation
from vernier.config.operations.custom import CustomOperation, TorchvisionOperation
from vernier.config.operations.erasing import GridErasing, RandomErasing, RectangleErasing
from vernier.config.operations.policies import AugMix, RandAugment, TrivialAugment
from vernier.errors import ConfigError, ConfigProblem


def pixel_problems(operations: Sequence[Operation], channels: int, key: str) -> Iterator[ConfigProblem]:
    """Functions and transforms that can't be called, and operations that are not for so many channels.

    Args:
        operations: of an augmentation list.
        channels: of every image.
        key: of the list in the config, for messages.
    """
    for index, operation in enumerate(operations):
        try:
            _check(operation, f"{key}[{index}]", channels)
        except ConfigError as error:
            yield from error.problems


def slow_operations(operations: Sequence[Operation], key: str) -> Iterator[str]:
    """A line for each operation that is much slower than the others."""
    for index, operation in enumerate(operations):
        if isinstance(operation, TorchvisionOperation):
            name = f"torchvision's {operation.transform}"
            yield f"{key}[{index}]: {name} runs on one image at a time, slower than Vernier's own operations"


def _check(operation: Operation, key: str, channels: int) -> None:
    match operation:
        case CustomOperation():
            check_function(operation, key)
        case TorchvisionOperation():
            check_transform(operation, key, channels)
        case RandAugment() | TrivialAugment() | AugMix() if channels not in (1, 3):
            _refuse(key, f"{operation.name} is for images of 1 or 3 channels, and these have {channels}")
        case RectangleErasing() | GridErasing() if operation.color is not None:
            _check_colour(operation.color, f"{key}.color", channels)
        case RandomErasing() if isinstance(operation.value, tuple):
            _check_colour(operation.value, f"{key}.value", channels)


def _check_colour(color: tuple[int, ...], key: str, channels: int) -> None:
    allowed = (1, 3) if channels == 1 else (1, channels)
    if len(color) not in allowed:
        message = f"has {len(color)} values, but images have {channels} channels"
        _refuse(key, f"{message}; give one number, or one for each channel")


def _refuse(key: str, message: str) -> None:
    raise ConfigError([ConfigProblem(key, message)])
