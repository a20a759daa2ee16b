"""Weights by name put into a network: the head may differ, the stem is adapted, the rest must fit."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import final

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor, nn

from vernier.errors import ModelError
from vernier.models.head import head_modules
from vernier.models.stem import adapt_stem_weight, stem_modules

_LISTED = 10


@final
@dataclass(frozen=True)
class WeightsReport:
    """What became of a file of weights.

    Attributes:
        loaded: number of tensors taken over, adapted ones included.
        head_mismatch: a sentence for each tensor of the head that keeps its initial value.
        stem_adapted: a sentence for each convolution that was changed to the image's channels.
    """

    loaded: int
    head_mismatch: tuple[str, ...]
    stem_adapted: tuple[str, ...]

    def __str__(self) -> str:
        head = f"; the head starts afresh ({'; '.join(self.head_mismatch)})" if self.head_mismatch else ""
        stem = f"; the stem is adapted ({'; '.join(self.stem_adapted)})" if self.stem_adapted else ""
        return f"{self.loaded} tensors loaded{head}{stem}"


def load_state(module: nn.Module, state: Mapping[str, Tensor], origin: str) -> WeightsReport:
    """Copy `state` into `module`.

    A layer of the head whose shape differs keeps its initial weights. A stem for another number of
    channels is adapted.

    Raises:
        ModelError: tensors are missing, unexpected or of another shape; nothing was copied.
    """
    own = module.state_dict()
    stem = _adapted_stem(module, own, state)
    fitted = {**state, **stem}
    skipped = _mismatched_head(module, own, fitted)
    kept = {name: tensor for name, tensor in fitted.items() if name not in skipped}
    _require_fit(own, kept, skipped, origin)
    module.load_state_dict(kept, strict=False)
    return WeightsReport(
        loaded=len(kept),
        head_mismatch=tuple(_shapes(name, state[name], own[name]) for name in skipped),
        stem_adapted=tuple(_shapes(name, state[name], own[name]) for name in stem),
    )


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a file, on the CPU.

    Raises:
        ModelError: not there, not readable, no safetensors file, or cut off.
    """
    try:
        return safetensors.torch.load(path.read_bytes())
    except OSError as error:
        raise ModelError(f"{path}: can't be read: {error.strerror}") from None
    except SafetensorError as error:
        raise ModelError(f"{path}: not a safetensors file, or cut off ({error}); copy or save it again") from None


def _adapted_stem(module: nn.Module, own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    names = [f"{name}.weight" for name in stem_modules(module)]
    return {
        name: adapt_stem_weight(state[name], own[name].shape[1])
        for name in names
        if name in state and _differs_in_channels(own[name], state[name])
    }


def _differs_in_channels(own: Tensor, other: Tensor) -> bool:
    return (
        own.ndim == 4
        and other.ndim == 4
        and own.shape[1] != other.shape[1]
        and (own.shape[0], *own.shape[2:]) == (other.shape[0], *other.shape[2:])
    )


def _mismatched_head(module: nn.Module, own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> tuple[str, ...]:
    """Names of all tensors of each head layer that has at least one of another shape."""
    skipped: list[str] = []
    for head in head_modules(module):
        names = [name for name in own if name.startswith(f"{head}.") and name in state]
        if any(own[name].shape != state[name].shape for name in names):
            skipped += names
    return tuple(skipped)


def _require_fit(own: Mapping[str, Tensor], kept: Mapping[str, Tensor], skipped: tuple[str, ...], origin: str) -> None:
    missing = [name for name in own if name not in kept and name not in skipped]
    unexpected = [name for name in kept if name not in own]
    differing = [
        _shapes(name, tensor, own[name])
        for name, tensor in kept.items()
        if name in own and own[name].shape != tensor.shape
    ]
    if missing or unexpected or differing:
        raise ModelError(
            f"{origin}: the weights don't fit the network."
            + _listing("Only in the network", missing)
            + _listing("Only in the file", unexpected)
            + _listing("Of another shape", differing)
            + _hint(own, missing, unexpected)
        )


def _shapes(name: str, given: Tensor, wanted: Tensor) -> str:
    return f"{name}: {list(given.shape)} in the file, {list(wanted.shape)} in the network"


def _listing(title: str, names: list[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"\n  {title} ({len(names)}): {', '.join(names[:_LISTED])}{more}"


def _hint(own: Mapping[str, Tensor], missing: list[str], unexpected: list[str]) -> str:
    """The remedy: a prefix to take off when that alone makes names fit, else the settings to look at."""
    for prefix in sorted({f"{name.partition('.')[0]}." for name in unexpected}):
        if any(name.removeprefix(prefix) in own for name in unexpected if name.startswith(prefix)):
            return f"\n  Names in the file start with {prefix!r}; save it with the names of the bare network."
    if missing or unexpected:
        return "\n  Check model.name, model.provider and model.kwargs: the file is of another network."
    return "\n  Check model.kwargs and model.input_size: the file is of another variant of this network."
