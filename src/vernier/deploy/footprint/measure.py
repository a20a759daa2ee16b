"""What a network costs on a device, found from its graph alone."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from vernier.deploy.footprint.graph import Network, Precision, read_network
from vernier.deploy.footprint.layers import Layer, count_layers
from vernier.deploy.footprint.ram import MemoryPlan, plan_line_buffers, plan_separate
from vernier.errors import MissingExtraError

if TYPE_CHECKING:
    import onnx

_BIAS_BYTES = 4


@final
@dataclass(frozen=True)
class Footprint:
    """Flash, RAM and operations of a network, without preprocessing and without the runtime's own.

    Attributes:
        precision: what everything was counted as; None as the graph stores it.
        input_shape: of the network's input, with the batch in front.
        layers: operator by operator.
        separate: memory of activations where every output has its own place.
        line_buffers: memory of activations where convolutions write over their input, row by row.
        scale_bytes: scales and zero points of a quantized graph; not in `flash_bytes`.
        wrapped: whether preprocessing and probabilities were in the graph; they are not counted.
    """

    precision: Precision | None
    input_shape: tuple[int, ...]
    layers: tuple[Layer, ...]
    separate: MemoryPlan
    line_buffers: MemoryPlan
    scale_bytes: int
    wrapped: bool

    @property
    def flash_bytes(self) -> int:
        """Weights and biases."""
        return sum(layer.flash_bytes for layer in self.layers)

    @property
    def ram_bytes(self) -> int:
        """Activations, where every output has its own place."""
        return self.separate.bytes

    @property
    def macs(self) -> int:
        """Multiplications with an addition, for one input."""
        return sum(layer.macs for layer in self.layers)

    @property
    def parameters(self) -> int:
        """Weights and biases, as numbers."""
        return sum(layer.weights + layer.biases for layer in self.layers)

    @property
    def in_integers(self) -> bool:
        """Whether every weight takes one byte."""
        return all(layer.flash_bytes <= layer.weights + _BIAS_BYTES * layer.biases for layer in self.layers)


def measure_footprint(model: "onnx.ModelProto", *, precision: Precision | None = None) -> Footprint:
    """Count flash, RAM and operations of a network.

    Args:
        model: A network, or a model with its preprocessing: of that only the part from `input` to `logits` counts, as
            the rest runs on the host or in the application.
        precision: `int8` counts one byte a weight and activation and four a bias, `float32` four bytes each, whatever
            the graph holds. None counts the graph as it is: a quantized one in integers but for what is left in float.

    Raises:
        MissingExtraError: the package onnx is missing.
        ModelError: the graph does not tell how large an activation is.
    """
    try:
        import onnx  # noqa: F401
    except ImportError:
        raise MissingExtraError("a footprint", "onnx") from None
    network = read_network(model, precision)
    return Footprint(
        precision=precision,
        input_shape=_input_shape(network),
        layers=count_layers(network, precision),
        separate=plan_separate(network),
        line_buffers=plan_line_buffers(network),
        scale_bytes=network.scale_bytes,
        wrapped=network.wrapped,
    )


def _input_shape(network: Network) -> tuple[int, ...]:
    return network.tensors[network.inputs[0]].shape
