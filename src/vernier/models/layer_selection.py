"""Layers of a network by index or by name, as `model.frozen` and `train.unfreeze` say it."""

import re
from collections.abc import Iterable, Sequence

from torch import nn

from vernier.errors import ModelError
from vernier.models.layers import Layer, parametered_layers
from vernier.models.provider import did_you_mean

_INDEX = re.compile(r"-?\d+")
_SLICE = re.compile(r"(-?\d+)?:(-?\d+)?(?::(-?\d+)?)?")
_ITEMS = re.compile(r"[-+\d:,\s]+")


def select_parameters(module: nn.Module, selection: Sequence[str], key: str) -> set[str]:
    """Names of the parameters of the selected layers.

    Args:
        module: The network.
        selection: Each one either indices into `parametered_layers`, as in Python (`0:-1`, `(8, 110:121, -1)`), or a
            regular expression that matches the whole dotted name of modules or parameters; a module stands for all
            that is in it.
        key: The config key, for messages.

    Raises:
        ModelError: an index out of range, no regular expression, or one that matches nothing.
    """
    return {name for item in selection for name in _selected(module, item, key)}


def _selected(module: nn.Module, item: str, key: str) -> Iterable[str]:
    inner = item.strip().removeprefix("(").removesuffix(")").strip()
    if _ITEMS.fullmatch(inner):
        if item.count("(") != item.count(")"):
            raise ModelError(f"{key}={item}: a bracket is missing; write ({inner})")
        layers = parametered_layers(module)
        return [name for part in inner.split(",") for name in _by_index(layers, part.strip(), item, key)]
    return _by_name(module, item, key)


def _by_index(layers: Sequence[Layer], part: str, item: str, key: str) -> list[str]:
    count = len(layers)
    if _INDEX.fullmatch(part):
        index = int(part)
        if not -count <= index < count:
            raise ModelError(
                f"{key}={item}: there is no layer {index}; this network's are 0 to {count - 1} (or -1 ...)"
            )
        chosen: Sequence[Layer] = (layers[index],)
    elif found := _SLICE.fullmatch(part):
        start, stop, step = (None if text is None else int(text) for text in found.groups())
        if step == 0:
            raise ModelError(f"{key}={item}: the step of {part} can't be 0; leave it out")
        chosen = layers[start:stop:step]
    else:
        raise ModelError(f"{key}={item}: {part!r} is no index; write indices and slices, such as (8, 110:121, -1)")
    if not chosen:
        raise ModelError(f"{key}={item}: {part} holds no layer; this network's are 0 to {count - 1}")
    return [name for layer in chosen for name in layer.parameters]


def _by_name(module: nn.Module, pattern: str, key: str) -> list[str]:
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise ModelError(
            f"{key}: {pattern!r} is no regular expression ({error}); any text is `.*`, a dot is `\\.`"
        ) from None
    names = [name for name, _ in module.named_parameters()]
    found = [name for name in names if any(expression.fullmatch(prefix) for prefix in _prefixes(name))]
    if not found:
        raise ModelError(f"{key}: {pattern!r} matches no layer.{_suggestion(pattern, names)}")
    return found


def _prefixes(name: str) -> list[str]:
    """`a`, `a.b` and `a.b.weight` of `a.b.weight`."""
    parts = name.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts) + 1)]


def _suggestion(pattern: str, names: Sequence[str]) -> str:
    """The closest names, and the top-level modules."""
    candidates = dict.fromkeys(prefix for name in names for prefix in _prefixes(name))
    top = dict.fromkeys(name.partition(".")[0] for name in names)
    return (
        f"{did_you_mean(pattern.removesuffix('.*'), candidates)} The network consists of {', '.join(top)}; "
        "`vernier models show NAME` lists the layers of one with their indices"
    )
