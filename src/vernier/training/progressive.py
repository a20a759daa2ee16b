"""Training on images of several sizes (`augment.progressive`)."""

from collections.abc import Sequence

import torch
from torch import nn

from vernier.augment.geometry import GEOMETRY
from vernier.config.augment import AnyOperation, Resize
from vernier.config.root import Config
from vernier.config.settled import settled
from vernier.errors import ConfigError, ConfigProblem


def resized_to(size: tuple[int, int], operations: Sequence[AnyOperation]) -> tuple[AnyOperation, ...]:
    """An augmentation list whose images end at another size: resized after the last change of geometry.

    That is the same augmentation whatever sizes and paddings the list has, and still one warp.
    """
    places = [place for place, operation in enumerate(operations, 1) if type(operation) in GEOMETRY]
    place = max(places, default=0)
    return (*operations[:place], Resize(size=size), *operations[place:])


def for_measuring(config: Config) -> Config:
    """The config with all batches at full size, which take most time and memory, and none of them mixed."""
    full = at_full_size(config)
    return full.model_copy(update={"augment": full.augment.model_copy(update={"mix": None})})


def at_full_size(config: Config) -> Config:
    """The config with all batches at full size."""
    return config.model_copy(update={"augment": config.augment.model_copy(update={"progressive": None})})


def check_sizes(model: nn.Module, config: Config, epochs: int) -> None:
    """Try the network on each size of `augment.progressive`.

    Args:
        epochs: That the training has, `train.max_steps` considered.

    Raises:
        ConfigError: it takes some other size only, or training ends before the last size.
    """
    progressive = config.augment.progressive
    if progressive is None:
        return
    ends = progressive.ends(epochs)
    if not config.train.fast_dev_run and len({0, *ends}) <= len(ends):
        message = f"leaves some of the sizes no epoch: train.max_steps ends the training in epoch {epochs}"
        raise ConfigError([ConfigProblem("augment.progressive", message)])
    for size in progressive.sizes:
        problem = _problem(model, torch.zeros(1, settled(config.data.channels), *size))
        if problem is not None:
            message = f"{config.model.name} does not take {size[0]}x{size[1]} pixels ({problem}); leave that size out"
            raise ConfigError([ConfigProblem("augment.progressive.sizes", message)])


def _problem(model: nn.Module, images: torch.Tensor) -> str | None:
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            model(images)
    except (RuntimeError, AssertionError, ValueError) as error:
        # Networks have no common way to refuse a size: shapes that do not multiply, or a check of their own.
        return str(error).strip().splitlines()[0]
    finally:
        model.train(training)
    return None
