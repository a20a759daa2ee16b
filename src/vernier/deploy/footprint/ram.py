"""The memory that the activations of a network take, under a stated plan.

The plan: operators run in the order of the graph. An activation is needed from the operator that writes it to the last
one that reads it; inputs from the start, outputs to the end. Views (Reshape, Flatten, Squeeze) and results written over
an input of the same size that nobody reads any more (activation functions, Add) take no memory of their own.

Two plans: `separate`, in which every other output has a place of its own, as any runtime can do; and `line_buffers`, in
which convolutions and pooling may write over the input that they are reading, row by row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

from vernier.deploy.footprint.allocation import Block, Part, Placement, arena_bytes, place
from vernier.deploy.footprint.graph import Network
from vernier.deploy.footprint.lifetimes import Buffer, Lifetimes, find_lifetimes
from vernier.deploy.footprint.overlay import Overlay, find_overlay


@final
@dataclass(frozen=True)
class MemoryPlan:
    """Where everything lies, and what is needed when.

    Attributes:
        placements: every buffer's offset.
        live_bytes: needed during each operator.
    """

    placements: tuple[Placement, ...]
    live_bytes: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """What the plan takes: from 0 to the end of the last buffer."""
        return arena_bytes(self.placements)

    @property
    def peak_bytes(self) -> int:
        """What is needed at once at most: no plan in this order takes less."""
        return max(self.live_bytes, default=0)

    @property
    def peak(self) -> int:
        """Number of the first operator that needs the most."""
        return self.live_bytes.index(self.peak_bytes)


@final
@dataclass(frozen=True)
class _Pair:
    """An output that may lie over an input, at one operator."""

    read: Buffer
    written: Buffer
    overlay: Overlay

    @property
    def saved(self) -> int:
        """Bytes that this saves during the operator; negative where it costs some."""
        together = max(self.overlay.lead + self.read.bytes, self.written.bytes) + self.overlay.line
        return self.read.bytes + self.written.bytes - together


def plan_separate(network: Network) -> MemoryPlan:
    """Every output beside what is read."""
    lifetimes = find_lifetimes(network)
    blocks = [(_part(buffer),) for buffer in lifetimes.buffers]
    live = _live(lifetimes, len(network.operators))
    return MemoryPlan(place(blocks, max(live, default=0)), live)


def plan_line_buffers(network: Network) -> MemoryPlan:
    """Outputs over inputs wherever more than the least possible would be needed otherwise."""
    lifetimes = find_lifetimes(network)
    separate = _live(lifetimes, len(network.operators))
    pairs = _pairs(network, lifetimes)
    saved = {number: max(0, pair.saved) for number, pair in pairs.items()}
    least = max((live - saved.get(number, 0) for number, live in enumerate(separate)), default=0)
    chosen = {number: pair for number, pair in pairs.items() if separate[number] > least and saved[number]}
    live = tuple(bytes - saved[number] if number in chosen else bytes for number, bytes in enumerate(separate))
    return MemoryPlan(place(_blocks(lifetimes, chosen), least), live)


def _pairs(network: Network, lifetimes: Lifetimes) -> dict[int, _Pair]:
    buffers = {buffer.name: buffer for buffer in lifetimes.buffers}
    found = {}
    for number, operator in enumerate(network.operators):
        overlay = find_overlay(operator, network)
        if overlay is None:
            continue
        read = buffers[lifetimes.holders[operator.inputs[0]]]
        written = buffers[lifetimes.holders[operator.outputs[0]]]
        if read.last == number == written.first:
            found[number] = _Pair(read, written, overlay)
    return found


def _blocks(lifetimes: Lifetimes, chosen: Mapping[int, _Pair]) -> list[Block]:
    """Pairs joined to chains where the output of one is the input of the next."""
    chains = {buffer.name: [_part(buffer)] for buffer in lifetimes.buffers}
    for _, pair in sorted(chosen.items()):
        chain = chains[pair.read.name]
        start = next(part.start for part in chain if part.name == pair.read.name) - pair.overlay.lead
        chain.append(_part(pair.written, start))
        chains[pair.written.name] = chain
    lines = [(_line(number, pair),) for number, pair in chosen.items()]
    whole = {id(chain): tuple(chain) for chain in chains.values()}
    return [*whole.values(), *lines]


def _part(buffer: Buffer, start: int = 0) -> Part:
    return Part(buffer.name, buffer.bytes, buffer.first, buffer.last, start)


def _line(number: int, pair: _Pair) -> Part:
    return Part(f"a row of {pair.written.name}", pair.overlay.line, number, number)


def _live(lifetimes: Lifetimes, operators: int) -> tuple[int, ...]:
    return tuple(_live_at(lifetimes.buffers, number) for number in range(operators))


def _live_at(buffers: Sequence[Buffer], number: int) -> int:
    return sum(buffer.bytes for buffer in buffers if buffer.first <= number <= buffer.last)
