"""Where buffers lie in one stretch of memory."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True)
class Part:
    """A buffer of a block.

    Attributes:
        name: of the buffer.
        bytes: its length.
        first: number of the first operator that needs it.
        last: number of the last one.
        start: from the start of its block; may be negative.
    """

    name: str
    bytes: int
    first: int
    last: int
    start: int = 0


_ROUNDS = 60
"""Of placing everything; only where the first does not reach the least possible."""

Block = tuple[Part, ...]
"""Buffers that keep their distances from each other."""


@final
@dataclass(frozen=True)
class Placement:
    """A buffer's place: `bytes` from `offset` on, during the operators `first` to `last`."""

    name: str
    offset: int
    bytes: int
    first: int
    last: int


def place(blocks: Sequence[Block], enough: int = 0) -> tuple[Placement, ...]:
    """Give every buffer an offset, so that none lies over another while both are needed.

    Greedy by size (Pisarchyk and Lee, "Efficient memory management for deep neural net inference", 2020): the largest
    block first, each as low as it fits. Whatever ends above `enough` gets its place earlier in the next round (squeaky
    wheel optimisation: Joslin and Clements, 1999); the best of all rounds counts.

    Args:
        blocks: Buffers that keep their distances.
        enough: A length that no arrangement can be below.
    """
    blame = [0] * len(blocks)
    best: tuple[Placement, ...] = ()
    for _ in range(_ROUNDS):
        order = sorted(range(len(blocks)), key=lambda n: (-blame[n], -_span(blocks[n]), _first(blocks[n])))
        placed = _place_in_order([blocks[number] for number in order])
        if not best or arena_bytes(placed) < arena_bytes(best):
            best = placed
        too_high = {placement.name for placement in placed if placement.offset + placement.bytes > enough}
        guilty = [number for number in order if any(part.name in too_high for part in blocks[number])]
        if not guilty:
            break
        for number in guilty:
            blame[number] += 1
    return best


def arena_bytes(placements: Iterable[Placement]) -> int:
    """Bytes from 0 to the end of the last buffer."""
    return max((placed.offset + placed.bytes for placed in placements), default=0)


def _place_in_order(blocks: Iterable[Block]) -> tuple[Placement, ...]:
    placed: list[Placement] = []
    for block in blocks:
        near = [other for other in placed if any(_together(part, other) for part in block)]
        base = min(base for base in _candidates(block, near) if _fits(block, base, near))
        placed.extend(_at(block, base))
    return tuple(sorted(placed, key=lambda placement: (placement.first, placement.offset)))


def _candidates(block: Block, placed: Sequence[Placement]) -> Iterator[int]:
    """As low as it goes, and right above every buffer."""
    lowest = -min(part.start for part in block)
    yield lowest
    for other in placed:
        for part in block:
            yield max(lowest, other.offset + other.bytes - part.start)


def _fits(block: Block, base: int, placed: Sequence[Placement]) -> bool:
    return not any(_clash(mine, other) for mine in _at(block, base) for other in placed)


def _clash(one: Placement, other: Placement) -> bool:
    over = one.offset < other.offset + other.bytes and other.offset < one.offset + one.bytes
    return over and _together(one, other)


def _together(one: Part | Placement, other: Placement) -> bool:
    return one.first <= other.last and other.first <= one.last


def _at(block: Block, base: int) -> list[Placement]:
    return [Placement(part.name, base + part.start, part.bytes, part.first, part.last) for part in block]


def _span(block: Block) -> int:
    return max(part.start + part.bytes for part in block) - min(part.start for part in block)


def _first(block: Block) -> int:
    return min(part.first for part in block)
