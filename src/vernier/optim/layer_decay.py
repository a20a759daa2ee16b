"""How deep each parameter lies, for layer-wise learning-rate decay (Howard & Ruder 2018; Bao et al. 2022).

timm's networks say themselves which parameters form a block. In others a block is found by how the network is built,
in order of registration:

- Modules in an `nn.Sequential`, `nn.ModuleList` or `nn.ModuleDict` are blocks, however much is in them. Such a
  container within another one is a block too, unless modules in it have modules of their own: then it is opened.
- Outside of containers a module is a block, unless it holds more than half of the network: then it is opened.
- A block without a layer of weights, such as a norm, belongs to the block before it, and so do parameters that an
  opened module has itself, such as tokens and positions.

All heads together are the last block.
"""

from collections.abc import Iterator, Mapping

from torch import nn

from vernier.models.head import head_modules

_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


def block_depths(module: nn.Module) -> Mapping[str, int]:
    """For each parameter by full name how many blocks come before its own; heads have the highest number."""
    heads = tuple(f"{name}." for name in head_modules(module))
    names = [name for name, _ in module.named_parameters()]
    body = [name for name in names if not name.startswith(heads)]
    timm_names = next((name for name, child in module.named_modules() if hasattr(child, "group_matcher")), None)
    if timm_names is not None:
        depths = _depths_by_timm(module, timm_names)
        last = max(depths.values())
    else:
        depths = _depths_by_structure(module, body)
        last = max(depths.values(), default=-1) + 1
    return {name: last if name.startswith(heads) else depths.get(name, 0) for name in names}


def _depths_by_timm(module: nn.Module, name: str) -> dict[str, int]:
    from timm.models import group_parameters

    network = module.get_submodule(name)
    prefix = f"{name}." if name else ""
    depths = group_parameters(network, network.group_matcher(coarse=False), reverse=True)  # type: ignore[operator]
    return {prefix + inner: depth for inner, depth in depths.items()}


def _depths_by_structure(module: nn.Module, names: list[str]) -> dict[str, int]:
    blocks = {
        f"{name}.{inner}": name
        for name, block in _blocks(module, "", module)
        if any(parameter.ndim > 1 for parameter in block.parameters())
        for inner, _ in block.named_parameters()
    }
    depths: dict[str, int] = {}
    found: list[str] = []
    for name in names:
        block = blocks.get(name)
        if block is not None and block not in found:
            found.append(block)
        depths[name] = max(len(found) - 1, 0) if block is None else found.index(block)
    return depths


def _blocks(module: nn.Module, name: str, network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The blocks in a module that is opened."""
    for child_name, child in module.named_children():
        full_name = f"{name}.{child_name}".lstrip(".")
        if _is_opened(child, isinstance(module, _CONTAINERS), network):
            yield from _blocks(child, full_name, network)
        else:
            yield full_name, child


def _is_opened(module: nn.Module, in_container: bool, network: nn.Module) -> bool:
    if not any(True for _ in module.children()):
        return False
    if in_container:
        return isinstance(module, _CONTAINERS) and any(True for child in module.children() for _ in child.children())
    return isinstance(module, _CONTAINERS) or 2 * _size(module) > _size(network)


def _size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
