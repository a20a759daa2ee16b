"""Training a part of a network: which parameters are frozen, and which modules run in eval mode."""

from collections.abc import Sequence
from typing import Literal

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from vernier.errors import ModelError
from vernier.models.head import head_modules
from vernier.models.layer_selection import select_parameters

Frozen = Literal["backbone"] | Sequence[str] | None
"""`model.frozen`."""


def freeze(module: nn.Module, frozen: Frozen) -> None:
    """Stop training some parameters; every other parameter trains.

    Args:
        module: changed in place.
        frozen: `backbone` for all but the head, or layers as `select_parameters` takes them.

    Raises:
        ModelError: layers that there are not, or nothing is left to train.
    """
    names = _frozen_names(module, frozen)
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(name not in names)
    if not any(parameter.requires_grad for parameter in module.parameters()):
        raise ModelError(f"model.frozen={_shown(frozen)} freezes every parameter; leave something to train")


def unfreeze(module: nn.Module, layers: Literal["all"] | Sequence[str]) -> tuple[nn.Parameter, ...]:
    """Let frozen layers train again, in place.

    Args:
        module: The network.
        layers: As `select_parameters` takes them; `all` for all that is frozen.

    Returns:
        The parameters that were frozen until now, in order of registration.

    Raises:
        ModelError: layers that there are not, or none of them is frozen.
    """
    frozen = {name: parameter for name, parameter in module.named_parameters() if not parameter.requires_grad}
    names = set(frozen) if layers == "all" else select_parameters(module, layers, "train.unfreeze.layers")
    found = tuple(parameter for name, parameter in frozen.items() if name in names)
    if not found:
        raise ModelError(
            f"train.unfreeze.layers={_shown(layers)}: none of these layers is frozen at this point; check model.frozen "
            "and the entries before"
        )
    for parameter in found:
        parameter.requires_grad_(True)
    return found


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


def _frozen_names(module: nn.Module, frozen: Frozen) -> set[str]:
    if frozen is None:
        return set()
    if frozen == "backbone":
        heads = tuple(f"{head}." for head in head_modules(module))
        return {name for name, _ in module.named_parameters() if not name.startswith(heads)}
    return select_parameters(module, frozen, "model.frozen")


def _shown(layers: str | Sequence[str] | None) -> str:
    return layers if isinstance(layers, str) else str(list(layers or ()))
