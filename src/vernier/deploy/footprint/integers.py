"""Which operators of a quantized graph compute in integers, and which activations are therefore one byte wide.

A quantized graph (QDQ) is written in floats with pairs of QuantizeLinear and DequantizeLinear between its operators.
Where an operator reads DequantizeLinear and its result is rounded, a device computes in integers and the pair costs
nothing; where it meets an operator left in float, it is a conversion with a result of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from vernier.deploy.footprint.constants import DEQUANTIZE, QUANTIZE, Constant

if TYPE_CHECKING:
    import onnx

_PAIR = (QUANTIZE, DEQUANTIZE)
_WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_ACTIVATIONS = ("Relu", "Clip", "LeakyRelu", "PRelu")


@final
@dataclass(frozen=True)
class Integers:
    """What is stored where.

    Attributes:
        narrow: activations of one byte.
        inputs: what a node reads on a device, by its first output.
        silent: first outputs of nodes that a device does not run.
        stored: the activation that holds a rounded one, by name.
    """

    narrow: frozenset[str]
    inputs: Mapping[str, tuple[str, ...]]
    silent: frozenset[str]
    stored: Mapping[str, str]


def pairs_ignored(graph: "onnx.GraphProto", constants: Mapping[str, Constant]) -> Integers:
    """Every pair left out, as before quantization: for a graph counted as if all of it were of one type."""
    nodes = [node for node in graph.node if node.output[0] not in constants]
    stored: dict[str, str] = {}
    for node in nodes:
        if node.op_type in _PAIR:
            stored[node.output[0]] = stored.get(node.input[0], node.input[0])
    inputs = {node.output[0]: tuple(stored.get(name, name) for name in node.input) for node in nodes}
    return Integers(frozenset(), inputs, frozenset(stored), stored)


def pairs_as_they_are(graph: "onnx.GraphProto", constants: Mapping[str, Constant]) -> Integers:
    """Integers where operators read and write them, conversions where they meet floats."""
    return _Reading(graph, constants).integers()


@final
class _Reading:
    """One graph being read."""

    def __init__(self, graph: "onnx.GraphProto", constants: Mapping[str, Constant]) -> None:
        self._constants = constants
        self._nodes = [node for node in graph.node if node.output[0] not in constants]
        self._makers = {name: node for node in self._nodes for name in node.output}
        self._outputs = {value.name for value in graph.output}
        self._readers: dict[str, list[onnx.NodeProto]] = {}
        for node in self._nodes:
            for name in node.input:
                self._readers.setdefault(name, []).append(node)

    def integers(self) -> Integers:
        whole = {node.output[0] for node in self._nodes if self._is_integer(node)}
        narrow = {name for name in self._all_values() if self._is_rounded_only(name) and self._may_round(name, whole)}
        stored: dict[str, str] = {}
        for node in self._nodes:
            if node.op_type == QUANTIZE and node.input[0] in narrow:
                stored[node.output[0]] = node.input[0]
        silent = set(stored)
        inputs: dict[str, tuple[str, ...]] = {}
        for node in self._nodes:
            reads_integers = node.output[0] in whole
            inputs[node.output[0]] = tuple(self._read(name, reads_integers, stored) for name in node.input)
            if node.op_type == DEQUANTIZE and self._all_read_integers(node.output[0], whole):
                silent.add(node.output[0])
        return Integers(frozenset(narrow), inputs, frozenset(silent), stored)

    def _all_values(self) -> Sequence[str]:
        return [name for name in self._readers if name not in self._constants]

    def _is_integer(self, node: "onnx.NodeProto") -> bool:
        if node.op_type in _PAIR or not all(self._is_dequantized(name) for name in node.input if name):
            return False
        if node.op_type in _WEIGHTED:
            return all(self._constants[name].rounded for name in node.input[:2] if name in self._constants)
        return all(self._is_rounded_only(name) for name in node.output)

    def _is_dequantized(self, name: str) -> bool:
        return name in self._constants or (name in self._makers and self._makers[name].op_type == DEQUANTIZE)

    def _is_rounded_only(self, name: str) -> bool:
        readers = self._readers.get(name, [])
        return name not in self._outputs and bool(readers) and all(node.op_type == QUANTIZE for node in readers)

    def _may_round(self, name: str, whole: set[str]) -> bool:
        """Whether what makes a value can round it itself: an integer operator, or the host for an input."""
        maker = self._makers.get(name)
        if maker is None or maker.output[0] in whole:
            return True
        return maker.op_type in _ACTIVATIONS and self._may_round(maker.input[0], whole)

    def _read(self, name: str, reads_integers: bool, stored: Mapping[str, str]) -> str:
        maker = self._makers.get(name)
        if reads_integers and maker is not None and maker.op_type == DEQUANTIZE:
            name = maker.input[0]
        return stored.get(name, name)

    def _all_read_integers(self, name: str, whole: set[str]) -> bool:
        readers = self._readers.get(name, [])
        return name not in self._outputs and all(node.output[0] in whole for node in readers)
