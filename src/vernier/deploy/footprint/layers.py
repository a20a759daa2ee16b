"""What every operator of a network stores and computes."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import final

from vernier.deploy.footprint.constants import Constant
from vernier.deploy.footprint.graph import WIDTHS, Network, Operator, Precision

_WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_BIAS_BYTES = 4
"""Of a bias, in float and in 32-bit integers alike."""


@final
@dataclass(frozen=True)
class Layer:
    """An operator and its cost.

    Attributes:
        name: of its node.
        kind: ONNX's name, with the activation function that is part of it.
        output_shape: without the batch; of its first output.
        weights: numbers in its matrix or kernels.
        biases: other numbers that it stores, such as one for each output channel.
        flash_bytes: of both.
        macs: multiplications followed by an addition.
        depthwise: whether each output channel of a convolution reads one input channel.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    weights: int
    biases: int
    flash_bytes: int
    macs: int
    depthwise: bool


def count_layers(network: Network, precision: Precision | None) -> tuple[Layer, ...]:
    """Count operator by operator; values that several share count where they are used first."""
    return tuple(_layers(network, precision))


def _layers(network: Network, precision: Precision | None) -> Iterator[Layer]:
    seen: set[str] = set()
    for operator in network.operators:
        kernels = _fresh(_kernels(operator), seen)
        others = _fresh([value for value in operator.constants.values() if value.elements > 1], seen)
        yield Layer(
            name=operator.name,
            kind=operator.kind,
            output_shape=network.tensors[operator.outputs[0]].shape[1:],
            weights=sum(value.elements for value in kernels),
            biases=sum(value.elements for value in others),
            flash_bytes=_kernel_bytes(kernels, precision) + _other_bytes(others, precision),
            macs=_macs(operator, network),
            depthwise=operator.base == "Conv" and operator.constants[1].shape[1] == 1,
        )


def _kernels(operator: Operator) -> list[Constant]:
    """Weights proper: one byte each on a device of 8-bit integers."""
    places = (0, 1) if operator.base in _WEIGHTED else ()
    return [operator.constants[place] for place in places if place in operator.constants]


def _fresh(values: list[Constant], seen: set[str]) -> list[Constant]:
    fresh = {value.name: value for value in values if value.name not in seen}
    seen.update(fresh)
    return list(fresh.values())


def _kernel_bytes(values: list[Constant], precision: Precision | None) -> int:
    return sum(value.elements * (value.width if precision is None else WIDTHS[precision]) for value in values)


def _other_bytes(values: list[Constant], precision: Precision | None) -> int:
    return sum(value.elements * (value.width if precision is None else _BIAS_BYTES) for value in values)


def _macs(operator: Operator, network: Network) -> int:
    out = prod(network.tensors[operator.outputs[0]].shape)
    if operator.base == "Conv":
        return out * prod(operator.constants[1].shape[1:])
    if operator.base == "ConvTranspose":
        return prod(network.tensors[operator.inputs[0]].shape) * prod(operator.constants[1].shape[1:])
    if operator.base in ("Gemm", "MatMul"):
        return out * _inner(operator, network)
    return 0


def _inner(operator: Operator, network: Network) -> int:
    """Length of the sums of a product of matrices."""
    left = operator.constants[0].shape if 0 in operator.constants else network.tensors[operator.inputs[0]].shape
    return left[0] if operator.attributes.get("transA") else left[-1]
