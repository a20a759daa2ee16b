"""A loss of the user's own."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, Final, final

import numpy as np
import torch
from torch import Tensor, nn

from vernier.callables import check_arguments, import_callable
from vernier.config.loss import CustomLossConfig
from vernier.errors import ConfigError, ConfigProblem
from vernier.models.task import Task

_IMAGES: Final = 3


@final
class CustomLoss:
    """The user's callable with float32 in and out.

    Args:
        compute: From logits (n, outputs) and targets to (n,).
    """

    def __init__(self, compute: Callable[[Tensor, Tensor], Tensor]) -> None:
        self._compute = compute

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        """float32 (n,)."""
        if isinstance(self._compute, nn.Module):
            self._compute.to(logits.device)
        return self._compute(logits.float(), targets).float()


def make_custom_loss(config: CustomLossConfig, task: Task) -> CustomLoss:
    """Import the callable and try it on a tiny batch.

    Raises:
        ConfigError: what can't be imported, takes other arguments, has weights of its own, or does not give a loss
            for each image.
    """
    made = import_callable(config.callable, "loss.callable")
    return checked_loss(_ready(made, config.kwargs), task)


def checked_loss(compute: Callable[[Tensor, Tensor], Any], task: Task) -> CustomLoss:
    """Try a function of logits and targets on a tiny batch.

    Raises:
        ConfigError: it has weights of its own, or does not give a loss for each image.
    """
    _refuse_parameters(compute)
    _try(compute, task)
    return CustomLoss(compute)


def _ready(made: Callable[..., Any], kwargs: dict[str, Any]) -> Callable[[Tensor, Tensor], Any]:
    """An instance of a class, or a function with its further arguments."""
    if inspect.isclass(made):
        check_arguments(made, kwargs, "loss.kwargs")
        instance: Any = made(**kwargs)
        return instance  # type: ignore[no-any-return]
    _check_function(made, kwargs)
    return partial(made, **kwargs)


def _check_function(function: Callable[..., Any], kwargs: dict[str, Any]) -> None:
    """Its first two parameters are the logits and the targets, the others are `loss.kwargs`."""
    first = list(inspect.signature(function).parameters)[:2]
    if len(first) < 2:
        raise _problem(f"must take logits and targets; it takes {', '.join(first) or 'nothing'}")
    check_arguments(function, kwargs, "loss.kwargs", given=first)


def _refuse_parameters(compute: object) -> None:
    if isinstance(compute, nn.Module) and any(True for _ in compute.parameters()):
        raise _problem("has parameters of its own, which no optimizer trains and no bundle holds; use buffers")


def _try(compute: Callable[[Tensor, Tensor], Any], task: Task) -> None:
    """One call with as many outputs as there will be."""
    logits = torch.linspace(-1, 1, _IMAGES * task.num_outputs).reshape(_IMAGES, -1).requires_grad_()
    shape = (_IMAGES, len(task.class_names)) if task.name == "multilabel" else (_IMAGES,)
    losses = compute(logits, task.targets(np.arange(np.prod(shape)).reshape(shape) % 2))
    if not isinstance(losses, Tensor):
        raise _problem(f"must give a tensor; got {type(losses).__name__}")
    if losses.shape != (_IMAGES,):
        message = f"must give a loss for each image, shape ({_IMAGES},) for {_IMAGES} images; got {tuple(losses.shape)}"
        raise _problem(f"{message}. Most losses of torch do with loss.kwargs={{reduction: none}}")
    if not losses.requires_grad:
        raise _problem("gives a loss without gradient; compute it from the logits with torch's functions")


def _problem(message: str) -> ConfigError:
    return ConfigError([ConfigProblem("loss.callable", message)])
