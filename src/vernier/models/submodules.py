"""Parts of a network that somebody else wrote, by their dotted names."""

from collections.abc import Mapping

from torch import nn

from vernier.errors import ModelError


def declared_modules(module: nn.Module, key: str) -> tuple[str, ...]:
    """Names that timm's description of a network (`pretrained_cfg`) gives under `key`, as far as they exist.

    Where an identity stands for a block of layers, it is named in place of the layer inside.
    """
    config = getattr(module, "pretrained_cfg", None) or {}
    names = config.get(key) or ()
    names = (names,) if isinstance(names, str) else tuple(names)
    modules = dict(module.named_modules())
    found = [_named_or_identity(modules, name) for name in names]
    return tuple(name for name in found if name is not None)


def _named_or_identity(modules: Mapping[str, nn.Module], name: str) -> str | None:
    while name not in modules:
        name = name.rpartition(".")[0]
        if name in modules and not isinstance(modules[name], nn.Identity):
            return None
    return name


def replace_module(module: nn.Module, name: str, new: nn.Module) -> None:
    """Put `new`, in the same mode, where the dotted `name` is.

    Raises:
        ModelError: `name` is empty, so it is the network itself that should be replaced.
    """
    if not name:
        kind = type(module).__name__
        raise ModelError(f"the network is a single {kind}, which can't be replaced in place; wrap it in nn.Sequential")
    parent, _, child = name.rpartition(".")
    new.train(module.get_submodule(name).training)
    setattr(module.get_submodule(parent), child, new)
