"""What `config.operations.custom` names: functions of other people."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, Final

import numpy as np

from vernier.augment.pixel.operation import PixelOperation, Sample
from vernier.augment.pixel.torchvision_transforms import apply_transform
from vernier.augment.pixel.values import bytes_of
from vernier.callables import check_arguments, import_callable
from vernier.config.operations.base import Operation
from vernier.config.operations.custom import CustomOperation, TorchvisionOperation
from vernier.errors import ConfigError, ConfigProblem, TrainingError

_POSITIONAL: Final = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_TORCHVISION: Final = "torchvision.transforms."


def check_function(operation: CustomOperation, key: str) -> None:
    """Import the function and check that it takes what it will be given.

    Args:
        key: of the operation in the config, for messages.

    Raises:
        ConfigError: it can't be imported, is a class, or takes other arguments.
    """
    function = import_callable(operation.callable, key)
    parameters = inspect.signature(function).parameters.values()
    given = [parameter.name for parameter in parameters if parameter.kind in _POSITIONAL][:2]
    problem = None
    if inspect.isclass(function):
        problem = f"must be a function; {operation.callable} is a class{_hint(operation.callable)}"
    elif len(given) < 2:
        problem = f"must be a function (image, generator, ...); {operation.callable} takes {_names(parameters)}"
    if problem is not None:
        raise ConfigError([ConfigProblem(key, problem)])
    check_arguments(function, operation.arguments, key, given=(*given, "epoch"))


def _hint(name: str) -> str:
    if not name.startswith(_TORCHVISION):
        return ""
    return f"; write {_TORCHVISION}v2.{name.rpartition('.')[2]} for torchvision's transform"


def _names(parameters: Iterable[inspect.Parameter]) -> str:
    return ", ".join(parameter.name for parameter in parameters) or "no arguments"


@cache
def _wants_epoch(function: Callable[..., Any]) -> bool:
    return "epoch" in inspect.signature(function).parameters


def _call(operation: CustomOperation, image: np.ndarray, sample: Sample) -> np.ndarray:
    function = import_callable(operation.callable, "augment.train")
    locked = bytes_of(image, sample.scratch).view()
    locked.flags.writeable = False
    epoch = {"epoch": sample.epoch} if _wants_epoch(function) else {}
    try:
        changed = function(locked, sample.generator(), **operation.arguments, **epoch)
    except Exception as error:
        error.add_note(f"raised by {operation.callable}, an operation of augment.train, in epoch {sample.epoch}")
        raise
    if (
        not isinstance(changed, np.ndarray)
        or changed.shape != image.shape
        or changed.dtype not in (np.uint8, np.float32)
    ):
        wanted = f"an array {image.shape} of uint8 or float32, as large as the image"
        raise TrainingError(f"augment.train: {operation.callable} must return {wanted}; it returned {_kind(changed)}")
    return changed


def _kind(value: Any) -> str:
    return f"an array {value.shape} of {value.dtype}" if isinstance(value, np.ndarray) else type(value).__name__


CUSTOM: Mapping[type[Operation], PixelOperation] = {
    CustomOperation: PixelOperation(0, _call, spatial=True),
    TorchvisionOperation: PixelOperation(0, apply_transform, spatial=True),
}
