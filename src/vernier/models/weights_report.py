"""What became of a file of weights, as a person reads it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

_FEW = 3


@final
@dataclass(frozen=True)
class WeightsReport:
    """What became of a file of weights.

    `loaded` and `missing` together are the network's tensors, `loaded` and `unused` the file's after renaming.

    Attributes:
        origin: the file and the network.
        loaded: names of the tensors taken over, the reshaped ones included.
        reshaped: a sentence for each of them that was changed to the image's channels.
        missing: names of tensors of the network that keep their initial values.
        unused: names of tensors of the file that were not taken.
        reasons: why, for each name in `missing` and `unused`.
        head_mismatch: heads that start afresh, as `head_modules` names them.
    """

    origin: str
    loaded: tuple[str, ...]
    reshaped: tuple[str, ...]
    missing: tuple[str, ...]
    unused: tuple[str, ...]
    reasons: Mapping[str, str]
    head_mismatch: tuple[str, ...]

    def __str__(self) -> str:
        in_head = tuple(f"{head}." for head in self.head_mismatch)
        head = [name for name in self.missing if name.startswith(in_head)] if in_head else []
        others = [name for name in self.missing if name not in head]
        parts = [
            f"{self.origin}: {len(self.loaded)} tensors loaded",
            *_part("the stem is adapted", self.reshaped),
            *_part("the head starts afresh", [f"{name}: {self.reasons[name]}" for name in head]),
            *_part(f"{len(others)} of the network keep their initial values", others),
            *_part(f"{len(self.unused)} of the file are not used", self.unused),
        ]
        return "; ".join(parts)

    def details(self) -> str:
        """All four lists, a line for each tensor."""
        lines = [
            *_block("Loaded", self.loaded),
            *_block("Reshaped", self.reshaped),
            *_block("Missing, kept at initial values", [f"{name}: {self.reasons[name]}" for name in self.missing]),
            *_block("Unused", [f"{name}: {self.reasons[name]}" for name in self.unused]),
        ]
        return "\n".join(lines)


def _part(title: str, items: Sequence[str]) -> list[str]:
    if not items:
        return []
    more = f" and {len(items) - _FEW} more" if len(items) > _FEW else ""
    return [f"{title} ({', '.join(items[:_FEW])}{more})"]


def _block(title: str, items: Sequence[str]) -> list[str]:
    return [f"{title} ({len(items)}):", *(f"  {item}" for item in items)]
