"""What values the tensors of a network take on calibration images."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from vernier.config.quantize import QuantizeConfig
from vernier.deploy.onnx_info import INPUT
from vernier.deploy.quantize.histogram import BINS, count_values, entropy_bins, percentile_range
from vernier.errors import DataError, ModelError

if TYPE_CHECKING:
    import onnx
    from onnxruntime import InferenceSession

Batches = Callable[[], Iterator[np.ndarray]]
"""Starts a pass over the images, float32 (n, C, height, width) each."""

Range = tuple[float, float]


@final
@dataclass(frozen=True)
class Ranges:
    """Smallest and largest value by tensor, 0 between them, and the number of images."""

    of_tensors: dict[str, Range]
    images: int


def measure_ranges(
    network: "onnx.ModelProto", tensors: Sequence[str], batches: Batches, settings: QuantizeConfig
) -> Ranges:
    """Run a network on images, one at a time, and find the range of each tensor.

    Memory is bounded: extremes are found inside the graph, and histograms are added up. Images go through once with the
    methods minmax and moving_average, twice with entropy and percentile: the second time into histograms between the
    extremes. How images are split into batches changes nothing.

    Args:
        network: With one float32 input `input`.
        tensors: float32 ones, by name.
        batches: The images.
        settings: `method` and `percentile` count.

    Raises:
        DataError: There are no images.
        ModelError: A value that is not finite.
    """
    low, high = _extremes(network, tensors, batches)
    if settings.method == "moving_average":
        return _ranges(tensors, low.mean(axis=0), high.mean(axis=0), len(low))
    lowest, highest = low.min(axis=0), high.max(axis=0)
    if settings.method == "minmax":
        return _ranges(tensors, lowest, highest, len(low))
    bounds = dict(zip(tensors, zip(lowest.tolist(), highest.tolist(), strict=True), strict=True))
    varied = {name: (least, most) for name, (least, most) in bounds.items() if least < most}
    find = _entropy_ranges if settings.method == "entropy" else _percentile_ranges
    found = bounds | find(network, varied, batches, settings.percentile)
    least, most = np.array([found[name] for name in tensors]).T
    return _ranges(tensors, least, most, len(low))


def _ranges(tensors: Sequence[str], low: np.ndarray, high: np.ndarray, images: int) -> Ranges:
    """Ranges that hold 0, which padding and ReLU need exactly."""
    pairs = zip(np.minimum(low, 0).tolist(), np.maximum(high, 0).tolist(), strict=True)
    return Ranges(dict(zip(tensors, pairs, strict=True)), images)


def _extremes(network: "onnx.ModelProto", tensors: Sequence[str], batches: Batches) -> tuple[np.ndarray, np.ndarray]:
    """Each image's smallest and largest value of each tensor, float64 (images, tensors) both.

    Of a network for batches of a fixed size, each batch's.
    """
    session = _session_of_extremes(network, tensors)
    size = _batch_size(network)
    outputs = [np.array(session.run(None, {INPUT: chunk}), np.float64) for chunk in _chunks(batches(), size)]
    if not outputs:
        raise DataError("quantization needs calibration images, and there are none; see quantize.calibration")
    values = np.stack(outputs).reshape(len(outputs), 2, len(tensors))
    finite = np.isfinite(values).all(axis=(0, 1))
    if not finite.all():
        name = tensors[int(np.argmin(finite))]
        raise ModelError(f"the network gives values that are not finite in {name}; check its weights")
    return values[:, 0], values[:, 1]


def _entropy_ranges(
    network: "onnx.ModelProto", bounds: dict[str, Range], batches: Batches, percentile: float
) -> dict[str, Range]:
    """Ranges inside the extremes by the entropy of absolute values."""
    limits = {name: (0.0, max(-low, high)) for name, (low, high) in bounds.items()}
    found = {}
    for name, counts in _histograms(network, limits, batches, np.abs).items():
        (low, high), limit = bounds[name], limits[name][1] * entropy_bins(counts) / BINS
        found[name] = (max(low, -limit), min(high, limit))
    return found


def _percentile_ranges(
    network: "onnx.ModelProto", bounds: dict[str, Range], batches: Batches, percentile: float
) -> dict[str, Range]:
    histograms = _histograms(network, bounds, batches, np.asarray)
    return {name: percentile_range(counts, *bounds[name], percentile) for name, counts in histograms.items()}


def _histograms(
    network: "onnx.ModelProto",
    limits: dict[str, Range],
    batches: Batches,
    change: Callable[[np.ndarray], np.ndarray],
) -> dict[str, np.ndarray]:
    """How many values of each tensor, changed, lie in each of the bins between its limits."""
    if not limits:
        return {}
    counts = {name: np.zeros(BINS, np.int64) for name in limits}
    session = _session_of_tensors(network, list(limits))
    for chunk in _chunks(batches(), _batch_size(network)):
        for name, values in zip(limits, session.run(None, {INPUT: chunk}), strict=True):
            counts[name] += count_values(change(values), *limits[name])
    return counts


def _chunks(batches: Iterator[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """The images in parts of `size`, whatever the batches; the last part is filled up with its last image."""
    waiting: list[np.ndarray] = []
    for batch in batches:
        for image in batch:
            waiting.append(image)
            if len(waiting) == size:
                yield np.stack(waiting)
                waiting = []
    if waiting:
        yield np.stack([*waiting, *[waiting[-1]] * (size - len(waiting))])


def _batch_size(network: "onnx.ModelProto") -> int:
    """Images at once: as many as the network asks for, 1 if it takes any number."""
    return network.graph.input[0].type.tensor_type.shape.dim[0].dim_value or 1


def _session_of_extremes(network: "onnx.ModelProto", tensors: Sequence[str]) -> "InferenceSession":
    """Gives the smallest values of all tensors, then the largest ones."""
    import onnx

    model = _without_outputs(network)
    for operator in ("ReduceMin", "ReduceMax"):
        for name in tensors:
            output = f"{operator}/{name}"
            model.graph.node.append(onnx.helper.make_node(operator, [name], [output], keepdims=0))
            model.graph.output.append(onnx.helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, []))
    return _session(model)


def _session_of_tensors(network: "onnx.ModelProto", tensors: Sequence[str]) -> "InferenceSession":
    import onnx

    model = _without_outputs(network)
    for name in tensors:
        model.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    return _session(model)


def _without_outputs(network: "onnx.ModelProto") -> "onnx.ModelProto":
    import onnx

    model = onnx.ModelProto()
    model.CopyFrom(network)
    del model.graph.output[:]
    return model


def _session(model: "onnx.ModelProto") -> "InferenceSession":
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = 1, 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
