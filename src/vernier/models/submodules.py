"""Parts of a network that somebody else wrote, by their dotted names."""

from torch import nn


def declared_modules(module: nn.Module, key: str) -> tuple[str, ...]:
    """Names that timm's description of a network (`pretrained_cfg`) gives under `key`, as far as they exist."""
    config = getattr(module, "pretrained_cfg", None) or {}
    names = config.get(key) or ()
    names = (names,) if isinstance(names, str) else tuple(names)
    existing = {name for name, _ in module.named_modules()}
    return tuple(name for name in names if name in existing)


def replace_module(module: nn.Module, name: str, new: nn.Module) -> None:
    """Put `new` where the dotted `name` is."""
    parent, _, child = name.rpartition(".")
    setattr(module.get_submodule(parent), child, new)
