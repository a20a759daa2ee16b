"""Which layers of a network must be equally wide, and how wide they become."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import lcm, prod
from typing import final


@final
@dataclass(frozen=True)
class Part:
    """Channels that come from one layer: `share` of its outputs."""

    layer: str
    share: Fraction = Fraction(1)


Origin = tuple[Part, ...]
"""Where the channels of a tensor come from, in order; several parts after a concatenation."""


@final
class WidthTies:
    """Layers by name with their outputs, and what a sum, a grouping or a split asks of their widths."""

    def __init__(self, outputs: Mapping[str, int], kept: Iterable[str]) -> None:
        """Args: outputs: of every layer and of every vector with one value a channel; kept: layers not to divide."""
        self._outputs = outputs
        self._kept = frozenset(kept)
        self._parents: dict[str, str] = {}
        self._sums: dict[str, Origin] = {}
        self._groups: dict[str, int] = {}
        self._multiples: dict[str, int] = {}

    def width(self, origin: Origin) -> int:
        """Channels of a tensor in the network as it was."""
        return int(sum(self._outputs[part.layer] * part.share for part in origin))

    def tie(self, first: Origin, second: Origin) -> None:
        """Two tensors of equal width must stay equally wide; what can't be expressed is left out."""
        if len(first) == len(second):
            pairs = list(zip(first, second, strict=True))
            if all(self.width((one,)) == self.width((other,)) for one, other in pairs):
                for one, other in pairs:
                    self._tie_parts(one, other)
        elif len(first) == 1:
            self._define(first[0], second)
        elif len(second) == 1:
            self._define(second[0], first)

    def is_tied(self, layer: str) -> bool:
        """Whether anything was found to be as wide."""
        root = self._root(layer)
        return root in self._sums or root != layer or root in self._parents.values()

    def group(self, origin: Origin, groups: int) -> None:
        """The channels are grouped, in fewer groups where there are fewer channels than groups."""
        self._ask(self._groups, origin, groups)

    def divide_into(self, origin: Origin, pieces: int) -> None:
        """The channels are cut into `pieces` equal pieces, however few there are."""
        self._ask(self._multiples, origin, pieces)

    def divided(self, origin: Origin, divisor: float) -> int:
        """Channels of a tensor once every layer is divided."""
        return int(sum(self._divided(self._root(part.layer), divisor) * part.share for part in origin))

    def _divided(self, root: str, divisor: float) -> int:
        if root in self._kept:
            return self._outputs[root]
        if root in self._sums:
            return self.divided(self._sums[root], divisor)
        width = max(1, int(self._outputs[root] / divisor))
        pieces = self._multiples.get(root, 1)
        multiple = lcm(pieces, self._groups.get(root, 1))
        if multiple > width:
            multiple = pieces
        return max(pieces, width // multiple * multiple)

    def _tie_parts(self, first: Part, second: Part) -> None:
        if first.share == second.share:
            self._unite(self._root(first.layer), self._root(second.layer))
            return
        larger, smaller = sorted((first, second), key=lambda part: part.share)
        self._define(larger, (smaller,))

    def _unite(self, root: str, other: str) -> None:
        if root == other:
            return
        if other in self._kept:
            root, other = other, root
        self._parents[other] = root
        if other in self._sums:
            self._sums.setdefault(root, self._sums.pop(other))
        for asked in (self._groups, self._multiples):
            asked[root] = lcm(asked.get(root, 1), asked.pop(other, 1))

    def _define(self, part: Part, origin: Origin) -> None:
        """Only by smaller layers, so that no layer's width depends on itself."""
        root = self._root(part.layer)
        if all(self._outputs[one.layer] < self._outputs[root] for one in origin):
            self._sums.setdefault(root, tuple(Part(one.layer, one.share / part.share) for one in origin))

    def _ask(self, asked: dict[str, int], origin: Origin, multiple: int) -> None:
        if len(origin) != 1:
            return
        root, share = self._root(origin[0].layer), origin[0].share
        asked[root] = lcm(asked.get(root, 1), prod((multiple, share.denominator)))

    def _root(self, layer: str) -> str:
        while layer in self._parents:
            layer = self._parents[layer]
        return layer
