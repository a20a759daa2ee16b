"""Weights by name put into a network: the head may differ, the stem is adapted, the rest must fit."""

import json
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import final

from torch import Tensor, nn

from vernier.config.model import WarmStartConfig
from vernier.errors import ModelError
from vernier.models.head import head_modules
from vernier.models.provider import StemInit
from vernier.models.stem import adapt_stem_weight, describe_stem, stem_modules
from vernier.models.warm_start import Selection, rename, select
from vernier.models.weights_report import WeightsReport

_LISTED = 10
_EVERYTHING = WarmStartConfig()
_COUNTER = "num_batches_tracked"
"""BatchNorm's count of its batches, which many files lack and evaluation never uses."""


def load_state(
    module: nn.Module,
    state: Mapping[str, Tensor],
    origin: str,
    warm_start: WarmStartConfig = _EVERYTHING,
    stem_init: StemInit = "auto",
    *,
    channels: int | None = None,
) -> WeightsReport:
    """Copy `state` into `module`, in the module's own precision.

    A head of another shape or with other names keeps its initial weights, each head as a whole. A stem for another
    number of channels is adapted. Everything else that is taken must fit, and fill the network.

    Args:
        module: changed in place.
        state: tensors by the names they have in the file.
        origin: the file and the network, for errors and the report.
        warm_start: which tensors are taken, under which names; with `partial` whatever fits, also of a head.
        stem_init: where the weights of each channel of the image come from.
        channels: of the image; a stem that takes another number, such as several pixels at once, is not adapted.
            None: whatever the stem takes.

    Raises:
        ModelError: a pattern that can't be used; tensors missing, unexpected, of another shape or kind; nothing to
            take. Nothing was copied then.
    """
    own = module.state_dict()
    file = {new: state[old] for old, new in rename(state, warm_start.rename, origin).items()}
    selection = select(warm_start, file, origin)
    selected = {name: tensor for name, tensor in file.items() if selection.takes(name)}
    stems = _adapted_stems(_stem_pairs(module, own, selected, channels), stem_init)
    match = _Match(own, {**selected, **stems}, file, selection, head_modules(module))
    kept = match.fitting() if warm_start.partial else match.outside_fresh_heads()
    if not warm_start.partial:
        _require_fit(match, kept, origin)
    if not kept:
        why = _problems(match, match.given) or " Check model.warm_start and model.name: what is left has no place there"
        raise ModelError(f"{origin}: none of the weights can be taken.{why}")
    module.load_state_dict({name: match.given[name] for name in kept}, strict=False)
    return _report(match, kept, _describe(match, stems, stem_init), origin)


@final
@dataclass(frozen=True)
class _Match:
    """The tensors of a network beside those of a file.

    Attributes:
        own: the network's.
        given: those that are selected, with the stem adapted.
        file: all of the file, renamed.
        selection: what `warm_start` takes.
        heads: names of the network's heads.
    """

    own: Mapping[str, Tensor]
    given: Mapping[str, Tensor]
    file: Mapping[str, Tensor]
    selection: Selection
    heads: tuple[str, ...]

    def fitting(self) -> list[str]:
        """Names that are on both sides with the same shape and kind."""
        return [name for name in self.own if name in self.given and self.difference(name) is None]

    def outside_fresh_heads(self) -> list[str]:
        """Names of `given` but for heads that differ in any name or shape."""
        fresh = [head for head in self.heads if self._is_fresh(head)]
        return [name for name in self.given if not _is_inside(name, fresh)]

    def difference(self, name: str) -> str | None:
        """How a tensor that is on both sides differs; None when it can be copied."""
        own, given = self.own[name], self.given[name]
        if own.shape != given.shape:
            return _shapes(given, own)
        if _kind(own) != _kind(given):
            return f"{given.dtype} in the file, {own.dtype} in the network"
        return None

    def reason(self, name: str) -> str:
        """Why a tensor of either side was not copied."""
        if not self.selection.takes(name):
            return "left out by model.warm_start"
        if name not in self.given:
            return "not in the file"
        if name not in self.own:
            return "not in the network"
        return self.difference(name) or "fits, but its head starts afresh"

    def _is_fresh(self, head: str) -> bool:
        own = {name for name in self.own if _is_inside(name, [head])}
        given = {name for name in self.given if _is_inside(name, [head])}
        differing = {name for name in own ^ given if not _is_counter(name)}
        return bool(differing) or any(self.difference(name) for name in own & given)


def _describe(match: _Match, stems: Collection[str], stem_init: StemInit) -> tuple[str, ...]:
    sentences = []
    for name in stems:
        old, new = match.file[name].shape, match.own[name].shape
        what = describe_stem(name.removesuffix(".weight"), old[1], new[1], stem_init)
        sentences.append(f"{what} ({list(old)} became {list(new)})")
    return tuple(sentences)


def _report(match: _Match, kept: Collection[str], reshaped: tuple[str, ...], origin: str) -> WeightsReport:
    taken = set(kept)
    missing = tuple(name for name in match.own if name not in taken)
    unused = tuple(name for name in match.file if name not in taken)
    return WeightsReport(
        origin=origin,
        loaded=tuple(name for name in match.own if name in taken),
        reshaped=reshaped,
        missing=missing,
        unused=unused,
        reasons={name: match.reason(name) for name in (*missing, *unused)},
        head_mismatch=tuple(head for head in match.heads if _keeps_all(head, match.own, taken)),
    )


def _keeps_all(head: str, own: Collection[str], taken: Collection[str]) -> bool:
    """Whether a head has tensors, and none of them was loaded."""
    names = [name for name in own if _is_inside(name, [head])]
    return bool(names) and not any(name in taken for name in names)


def _stem_pairs(
    module: nn.Module, own: Mapping[str, Tensor], given: Mapping[str, Tensor], channels: int | None
) -> dict[str, tuple[Tensor, Tensor]]:
    """(own, given) weights of the convolutions that see the image, where they differ in its channels alone."""
    names = [f"{name}.weight" for name in stem_modules(module) if _is_ungrouped(module.get_submodule(name))]
    return {
        name: (own[name], given[name])
        for name in names
        if name in given and _differs_in_channels(own[name], given[name]) and channels in (None, own[name].shape[1])
    }


def _adapted_stems(pairs: Mapping[str, tuple[Tensor, Tensor]], stem_init: StemInit) -> dict[str, Tensor]:
    return {
        name: adapt_stem_weight(given.to(own.dtype), own.shape[1], stem_init) for name, (own, given) in pairs.items()
    }


def _is_ungrouped(stem: nn.Module) -> bool:
    return isinstance(stem, nn.Conv2d) and stem.groups == 1


def _differs_in_channels(own: Tensor, other: Tensor) -> bool:
    return (
        own.ndim == 4
        and other.ndim == 4
        and other.is_floating_point()
        and own.shape[1] != other.shape[1]
        and (own.shape[0], *own.shape[2:]) == (other.shape[0], *other.shape[2:])
    )


def _is_inside(name: str, modules: Sequence[str]) -> bool:
    return any(name.startswith(f"{module}.") for module in modules)


def _is_counter(name: str) -> bool:
    return name.rpartition(".")[2] == _COUNTER


def _kind(tensor: Tensor) -> str:
    if tensor.is_complex():
        return "complex"
    return "real" if tensor.is_floating_point() else "integer"


def _shapes(given: Tensor, wanted: Tensor) -> str:
    return f"{list(given.shape)} in the file, {list(wanted.shape)} in the network"


def _require_fit(match: _Match, kept: Collection[str], origin: str) -> None:
    problems = _problems(match, kept)
    if problems:
        raise ModelError(f"{origin}: the weights don't fit the network.{problems}")


def _problems(match: _Match, kept: Collection[str]) -> str:
    """All lists of what does not fit, and the remedy; empty when everything does."""
    missing = _missing(match)
    unexpected = [name for name in kept if name not in match.own]
    common = [name for name in kept if name in match.own and match.difference(name)]
    differing = [f"{name}: {match.difference(name)}" for name in common]
    if not (missing or unexpected or differing):
        return ""
    return (
        _listing("Only in the network", missing)
        + _listing("Only in the file", unexpected)
        + _listing("Of another shape or kind", differing)
        + _hint(match.own, missing, unexpected)
    )


def _missing(match: _Match) -> list[str]:
    """Names that the file should have: outside the head, not left out, and no count of batches."""
    return [
        name
        for name in match.own
        if name not in match.given
        and match.selection.takes(name)
        and not _is_inside(name, match.heads)
        and not _is_counter(name)
    ]


def _listing(title: str, names: Sequence[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"\n  {title} ({len(names)}): {', '.join(names[:_LISTED])}{more}"


def _hint(own: Mapping[str, Tensor], missing: Sequence[str], unexpected: Sequence[str]) -> str:
    """The remedy: a renaming when a prefix alone is in the way, else the settings to look at."""
    surplus = _common_prefix(unexpected, own)
    if surplus is not None:
        rule = json.dumps({f"^{re.escape(surplus)}": ""})
        return f"\n  Names in the file start with {surplus!r}; take it off with model.warm_start.rename={rule}"
    lacking = _common_prefix(missing, unexpected)
    if lacking is not None:
        rule = json.dumps({"^": lacking})
        return f"\n  Names in the network start with {lacking!r}; put it before with model.warm_start.rename={rule}"
    if unexpected and not missing:
        rule = json.dumps(_covering(unexpected, own))
        return f"\n  Leave out what the network does not have with model.warm_start.exclude={rule}"
    if missing:
        return (
            "\n  Check model.name, model.provider and model.kwargs: the file is of another network; "
            "model.warm_start.partial=true takes what fits."
        )
    return (
        "\n  Check model.kwargs, model.input_size and data.channels: the file is of another variant of this network; "
        "model.warm_start.partial=true takes what fits."
    )


def _common_prefix(longer: Sequence[str], shorter: Collection[str]) -> str | None:
    """What most of the `longer` names have before one of the `shorter`; None when no name ends in one."""
    known = set(shorter)
    found: Counter[str] = Counter()
    for name in longer:
        starts = (position + 1 for position, letter in enumerate(name) if letter == ".")
        found.update(name[:start] for start in starts if name[start:] in known)
    return found.most_common(1)[0][0] if found else None


def _covering(names: Sequence[str], own: Collection[str]) -> list[str]:
    """Regular expressions that match all names, each for a whole module that the network does not have."""
    return list(dict.fromkeys(_pattern_for(name, own) for name in names))


def _pattern_for(name: str, own: Collection[str]) -> str:
    for position, letter in enumerate(name):
        if letter == "." and not any(other.startswith(name[: position + 1]) for other in own):
            return f"{re.escape(name[:position])}\\..*"
    return re.escape(name)
