"""Training a part of a network: which parameters are frozen, and which modules run in eval mode."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Literal

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from vernier.errors import ModelError
from vernier.models.head import head_modules
from vernier.models.provider import did_you_mean


def freeze(module: nn.Module, frozen: Literal["backbone"] | Sequence[str] | None) -> None:
    """Stop training some parameters; every other parameter trains.

    Args:
        module: changed in place.
        frozen: `backbone` for all but the head, or patterns of parameter names with `*`, `?` and `[...]`; the
            name of a module stands for all its parameters.

    Raises:
        ModelError: a pattern matches nothing, or nothing is left to train.
    """
    names = _frozen_names(module, frozen)
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(name not in names)
    if not any(parameter.requires_grad for parameter in module.parameters()):
        raise ModelError(f"model.frozen={_shown(frozen)} freezes every parameter; leave something to train")


def set_training_mode(module: nn.Module, freeze_batchnorm: bool) -> None:
    """Train mode, but eval mode for whatever is frozen as a whole, BatchNorm and dropout inside it included.

    Args:
        module: changed in place.
        freeze_batchnorm: eval mode for every BatchNorm; its weights still train, its statistics stay.
    """
    module.train()
    _frozen_to_eval(module)
    if freeze_batchnorm:
        for child in module.modules():
            if isinstance(child, _BatchNorm):
                child.eval()


def count_parameters(module: nn.Module) -> tuple[int, int]:
    """(all, trainable) numbers of parameters."""
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in module.parameters()]
    return sum(size for size, _ in sizes), sum(size for size, trains in sizes if trains)


def _frozen_to_eval(module: nn.Module) -> None:
    trains = [parameter.requires_grad for parameter in module.parameters()]
    if trains and not any(trains):
        module.eval()
    else:
        for child in module.children():
            _frozen_to_eval(child)


def _frozen_names(module: nn.Module, frozen: Literal["backbone"] | Sequence[str] | None) -> set[str]:
    names = [name for name, _ in module.named_parameters()]
    if frozen is None:
        return set()
    if frozen == "backbone":
        heads = tuple(f"{head}." for head in head_modules(module))
        return {name for name in names if not name.startswith(heads)}
    return {name for pattern in frozen for name in _matching(pattern, names)}


def _matching(pattern: str, names: Sequence[str]) -> list[str]:
    found = [name for name in names if fnmatchcase(name, pattern) or name.startswith(f"{pattern}.")]
    if not found:
        raise ModelError(f"model.frozen: {pattern!r} matches no parameter.{_suggestion(pattern, names)}")
    return found


def _suggestion(pattern: str, names: Sequence[str]) -> str:
    """The closest names of the pattern's depth, and the top-level modules."""
    top = dict.fromkeys(name.partition(".")[0] for name in names)
    depth = pattern.count(".")
    prefixes = dict.fromkeys(".".join([*name.split(".")[:depth], "*"]) for name in names if depth)
    suggestion = did_you_mean(pattern, [*prefixes, *top, *names])
    return f"{suggestion} The network consists of {', '.join(f'{name}.*' for name in top)}"


def _shown(frozen: Literal["backbone"] | Sequence[str] | None) -> str:
    return frozen if isinstance(frozen, str) else str(list(frozen or ()))
