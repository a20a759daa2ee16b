"""torchvision's transforms, with chance that depends on the sample alone.

torchvision draws from torch's one generator, which the training thread draws from at the same time. Here every draw in
the calling thread comes from a generator of the sample's own, so transforms run in any thread and leave no trace.
"""

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Final, final

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

from vernier.augment.pixel.operation import Sample
from vernier.augment.pixel.values import bytes_of
from vernier.callables import check_arguments
from vernier.config.operations.custom import TorchvisionOperation
from vernier.config.words import closest, did_you_mean
from vernier.errors import ConfigError, ConfigProblem, TrainingError

_DRAWS: Final = frozenset(
    (
        *("rand", "randn", "randint", "randperm", "rand_like", "randn_like", "normal", "bernoulli", "poisson"),
        *("multinomial", "_sample_dirichlet", "uniform_", "normal_", "random_", "bernoulli_", "exponential_"),
    )
)
"""Names of torch's functions and methods that take a generator."""
_TRIAL: Final = (192, 224)
"""Height and width of the image that a transform is tried on."""
_FAILURES: Final = (TypeError, ValueError, RuntimeError)
"""What torchvision raises for arguments and images that it can't use."""


@final
class OwnChance(TorchFunctionMode):
    """Within it the calling thread draws from `generator` where it names none."""

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self._generator = generator

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call a function of torch's."""
        kwargs = dict(kwargs or {})
        if func.__name__ in _DRAWS:
            kwargs.setdefault("generator", self._generator)
        return func(*args, **kwargs)


def check_transform(operation: TorchvisionOperation, key: str, channels: int) -> None:
    """Make the transform and try it on an image.

    Args:
        key: of the operation in the config, for messages.
        channels: of every image.

    Raises:
        ConfigError: there is no such transform, its arguments are wrong, or it gives another kind of image.
    """
    kind = _transforms().get(operation.transform)
    if kind is None:
        guess = did_you_mean(closest(operation.transform, _transforms()))
        message = f"torchvision.transforms.v2 has no transform {operation.transform!r}{guess}"
        raise ConfigError([ConfigProblem(key, message)])
    check_arguments(kind, _arguments(operation), key)
    image = np.random.Generator(np.random.Philox(key=0)).integers(0, 256, (*_TRIAL, channels), np.uint8)
    try:
        _run(operation, image, 0)
    except (*_FAILURES, TrainingError) as error:
        raise ConfigError([ConfigProblem(key, f"torchvision's {operation.transform}: {error}")]) from None


def apply_transform(operation: TorchvisionOperation, image: np.ndarray, sample: Sample) -> np.ndarray:
    """The image after the transform, uint8.

    Raises:
        TrainingError: the transform fails on this image, or gives another kind of image.
    """
    try:
        return _run(operation, bytes_of(image, sample.scratch), sample.key)
    except (*_FAILURES, TrainingError) as error:
        size = "x".join(map(str, image.shape))
        message = f"augment.train: torchvision's {operation.transform} on an image of {size}"
        raise TrainingError(f"{message}: {error}") from error


def _run(operation: TorchvisionOperation, image: np.ndarray, seed: int) -> np.ndarray:
    transform = _transform(operation.transform, json.dumps(_arguments(operation)))
    # A copy: images may lie in memory that can't be written to, and torchvision may write to its own.
    planes = torch.from_numpy(np.array(image.transpose(2, 0, 1), order="C"))
    with OwnChance(torch.Generator().manual_seed(seed)):
        changed = transform(planes)
    if not isinstance(changed, torch.Tensor) or changed.dtype != torch.uint8:
        kind = changed.dtype if isinstance(changed, torch.Tensor) else type(changed).__name__
        raise TrainingError(
            f"it must give uint8, as it gets; it gives {kind}; leave conversions and Normalize to Vernier"
        )
    if changed.shape != planes.shape:
        before, after = ("x".join(map(str, (*shape[1:], shape[0]))) for shape in (planes.shape, changed.shape))
        raise TrainingError(
            f"it must keep the size of images; it makes {after} of {before}; use Vernier's own operation"
        )
    return changed.permute(1, 2, 0).numpy()


def _arguments(operation: TorchvisionOperation) -> dict[str, Any]:
    """Those of the class: a `p` of 1 is nothing to classes that have none."""
    parameters = inspect.signature(_transforms()[operation.transform]).parameters
    given = operation.arguments
    return {name: value for name, value in given.items() if name != "p" or value != 1 or "p" in parameters}


@cache
def _transform(name: str, arguments: str) -> Callable[[torch.Tensor], Any]:
    from torchvision.transforms import InterpolationMode

    settings = json.loads(arguments)
    if "interpolation" in settings:
        # torchvision takes words from 0.29 on.
        settings["interpolation"] = InterpolationMode(settings["interpolation"])
    made: Callable[[torch.Tensor], Any] = _transforms()[name](**settings)
    return made


@cache
def _transforms() -> Mapping[str, type[Any]]:
    """torchvision's transforms by their names. They take a second to import, so that waits for the first use."""
    from torchvision.transforms import v2

    classes = {name: kind for name, kind in vars(v2).items() if inspect.isclass(kind)}
    return {name: kind for name, kind in classes.items() if issubclass(kind, v2.Transform)}
