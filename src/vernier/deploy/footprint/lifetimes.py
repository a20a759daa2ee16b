"""Which memory every activation lies in, and from which operator to which it is needed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import final

from vernier.deploy.footprint.graph import Network, Operator

_VIEWS = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Dropout"})
_POINTWISE = frozenset(
    {"Relu", "Clip", "LeakyRelu", "PRelu", "Elu", "Selu", "Sigmoid", "HardSigmoid", "HardSwish", "Mish", "Gelu", "Tanh"}
    | {"Softplus", "Softmax", "LogSoftmax", "Erf", "Exp", "Log", "Sqrt", "Abs", "Neg", "Reciprocal", "Pow"}
    | {"BatchNormalization", "InstanceNormalization", "LayerNormalization", "Add", "Sub", "Mul", "Div", "Min", "Max"}
)
"""Every value of the result takes the place of one value that was read."""


@final
@dataclass(frozen=True)
class Buffer:
    """A piece of memory.

    Attributes:
        name: of the activation that is written first.
        bytes: of the largest activation that lies in it.
        first: number of the operator that writes it; 0 for an input.
        last: number of the last operator that reads it.
    """

    name: str
    bytes: int
    first: int
    last: int


@final
@dataclass(frozen=True)
class Lifetimes:
    """Buffers, and the one that every activation lies in.

    Attributes:
        buffers: in the order in which they are written.
        holders: name of the buffer by name of the activation.
    """

    buffers: tuple[Buffer, ...]
    holders: Mapping[str, str]


def find_lifetimes(network: Network) -> Lifetimes:
    """Give every activation a buffer: a view, or a result written over what was read, takes its input's.

    Inputs live from the first operator on, outputs until the last.
    """
    last = _last_uses(network)
    holders = {name: name for name in network.inputs}
    until = dict(last)
    for number, operator in enumerate(network.operators):
        for name in operator.outputs:
            host = _host(operator, number, network, holders, until) if name == operator.outputs[0] else None
            holders[name] = host or name
            until[holders[name]] = max(last[name], until[holders[name]] if host else 0)
    return Lifetimes(tuple(_buffers(network, holders, until)), holders)


def _last_uses(network: Network) -> dict[str, int]:
    end = len(network.operators) - 1
    last = dict.fromkeys(network.inputs, 0)
    for number, operator in enumerate(network.operators):
        last.update(dict.fromkeys((*operator.outputs, *operator.inputs), number))
    return {**last, **dict.fromkeys(network.outputs, end)}


def _host(
    operator: Operator, number: int, network: Network, holders: Mapping[str, str], until: Mapping[str, int]
) -> str | None:
    """The buffer of an input whose place the result may take; None where it needs its own."""
    if operator.base in _VIEWS:
        return holders[operator.inputs[0]]
    if operator.base not in _POINTWISE:
        return None
    size = network.tensors[operator.outputs[0]].bytes
    for name in operator.inputs:
        if network.tensors[name].bytes == size and until[holders[name]] == number:
            return holders[name]
    return None


def _buffers(network: Network, holders: Mapping[str, str], until: Mapping[str, int]) -> Iterator[Buffer]:
    sizes: dict[str, int] = {}
    for name, holder in holders.items():
        sizes[holder] = max(sizes.get(holder, 0), network.tensors[name].bytes)
    written = dict.fromkeys(network.inputs, 0)
    for number, operator in enumerate(network.operators):
        written.update(dict.fromkeys(operator.outputs, number))
    for holder, size in sizes.items():
        yield Buffer(holder, size, written[holder], until[holder])
