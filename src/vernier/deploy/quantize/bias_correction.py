"""Biases that make up for the mean error of rounded weights and activations."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from vernier.deploy.onnx_info import INPUT
from vernier.errors import MissingExtraError

if TYPE_CHECKING:
    import onnx

_LAYERS = ("Conv", "Gemm")
_BIAS = 2
"""Place of the bias among a layer's inputs."""

_AXES_AS_INPUT = 18
"""Opset from which ReduceMean takes its axes as an input."""

_IMAGES = 64
"""Each has many places: the mean of a channel does not change much with more."""

_ERRORS_ONLY = 3
"""Of onnxruntime's levels of messages; it would warn of weights that the first layers do not use."""

Batches = Callable[[], Iterator[np.ndarray]]


def correct_biases(
    network: "onnx.ModelProto", quantized: "onnx.ModelProto", batches: Batches, *, images: int = _IMAGES
) -> "onnx.ModelProto":
    """Move the biases of a quantized network until the mean of each output channel is that of the float network.

    Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias Correction", section 4.2, with
    means measured on images, one layer after the other from front to back: a layer's error is measured when those
    before it are corrected already. All at once would correct the errors of the first layers again in every later one.

    Args:
        network: The float network that was quantized.
        quantized: With QuantizeLinear and DequantizeLinear; layers in float stay as they are.
        batches: Starts a pass over calibration images, float32 (n, C, h, w) each.
        images: So many of them at least, whole batches, as long as there are some.

    Returns:
        A copy of `quantized` with other int32 biases.

    Raises:
        MissingExtraError: The packages of the extra `onnx` are missing.
    """
    try:
        import onnx
        import onnxruntime  # noqa: F401
    except ImportError:
        raise MissingExtraError("bias correction", "onnx") from None
    corrected = onnx.ModelProto()
    corrected.CopyFrom(quantized)
    known = _outputs(network)
    biases = [bias for bias in _biases(corrected) if bias.layer in known]
    if not biases:
        return corrected
    wanted = _channel_means(network, biases, batches, images)
    for bias in biases:
        got = _channel_means(_up_to(corrected, bias.layer), [bias], batches, images)
        bias.move(wanted[bias.layer] - got[bias.layer])
    return corrected


def _up_to(model: "onnx.ModelProto", layer: str) -> "onnx.ModelProto":
    """A copy of a model that ends with a layer."""
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    names = [node.name for node in copy.graph.node]
    del copy.graph.node[names.index(layer) + 1 :], copy.graph.output[:]
    return copy


def _outputs(model: "onnx.ModelProto") -> dict[str, str]:
    """Of each node, by its name, the output; a quantized layer that took its activation in has the activation's."""
    return {node.name: node.output[0] for node in model.graph.node}


@final
@dataclass(frozen=True)
class _Bias:
    """The bias of a quantized layer.

    Attributes:
        values: The initializer, int32 (channels,); it belongs to the network that is corrected.
        scale: Of one step, float (channels,) or ().
        layer: Name of the node.
        axes: Of the output, all but the channels.
    """

    values: "onnx.TensorProto"
    scale: np.ndarray
    layer: str
    axes: tuple[int, ...]

    def move(self, by: np.ndarray) -> None:
        """Add a float (channels,) to the nearest step."""
        from onnx import numpy_helper

        steps = numpy_helper.to_array(self.values) + np.rint(by / self.scale)
        limits = np.iinfo(np.int32)
        moved = np.clip(steps, limits.min, limits.max).astype(np.int32)
        self.values.CopyFrom(numpy_helper.from_array(moved, self.values.name))


def _biases(model: "onnx.ModelProto") -> Iterator[_Bias]:
    """Of all layers with int32 ones, front to back."""
    from onnx import numpy_helper

    initializers = {tensor.name: tensor for tensor in model.graph.initializer}
    producers = {node.output[0]: node for node in model.graph.node}
    for node in model.graph.node:
        if node.op_type not in _LAYERS or len(node.input) <= _BIAS:
            continue
        source = producers.get(node.input[_BIAS])
        if source is None or source.op_type != "DequantizeLinear":
            continue
        values, scale = (initializers[name] for name in source.input[:2])
        axes = (0, 2, 3) if node.op_type == "Conv" else (0,)
        yield _Bias(values, numpy_helper.to_array(scale), node.name, axes)


def _channel_means(
    model: "onnx.ModelProto", biases: Sequence[_Bias], batches: Batches, least: int
) -> Mapping[str, np.ndarray]:
    """Mean of each layer's output channels over at least so many images, float64 (channels,) each, by the layer's name.

    The graph itself takes the means, so that no layer's output outlives the next layer.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    session = onnxruntime.InferenceSession(_with_means(model, biases).SerializeToString(), options)
    names = [_mean_name(bias.layer) for bias in biases]
    sums: list[Any] = [0.0] * len(biases)
    count = 0
    for images in batches():
        means = session.run(names, {INPUT: images})
        sums = [total + len(images) * mean.astype(np.float64) for total, mean in zip(sums, means, strict=True)]
        count += len(images)
        if count >= least:
            break
    return {bias.layer: total / count for bias, total in zip(biases, sums, strict=True)}


def _with_means(model: "onnx.ModelProto", biases: Sequence[_Bias]) -> "onnx.ModelProto":
    """A copy of a model with the means of layers' outputs as further outputs."""
    import onnx
    from onnx import TensorProto, helper

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graph, outputs = copy.graph, _outputs(model)
    opset = next(entry.version for entry in copy.opset_import if entry.domain in ("", "ai.onnx"))
    for bias in biases:
        name = _mean_name(bias.layer)
        if opset >= _AXES_AS_INPUT:
            axes = helper.make_tensor(f"{name}_axes", TensorProto.INT64, [len(bias.axes)], bias.axes)
            graph.initializer.append(axes)
            node = helper.make_node("ReduceMean", [outputs[bias.layer], axes.name], [name], keepdims=0)
        else:
            node = helper.make_node("ReduceMean", [outputs[bias.layer]], [name], axes=bias.axes, keepdims=0)
        graph.node.append(node)
        graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    return copy


def _mean_name(layer: str) -> str:
    return f"{layer}_channel_means"
