"""An ONNX file made ready to classify, by onnxruntime and without torch."""

import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, final

import numpy as np

from vernier.augment.preprocess import Preprocessing
from vernier.deploy.onnx_info import LOGITS, OnnxInfo
from vernier.errors import MissingExtraError, ModelError
from vernier.models.task import Task

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

_AHEAD = 4
"""Images in the queue for each thread."""


class ImageSequence(Protocol):
    """Decoded images by position."""

    def __getitem__(self, index: int, /) -> np.ndarray:
        """uint8 (H, W, C)."""
        ...


@final
@dataclass(frozen=True)
class OnnxClassifier:
    """What turns images into logits, and logits into answers; the same as `evaluation.classifier.Classifier`.

    Attributes:
        session: of onnxruntime; computes an image in the thread that asks.
        info: the file's metadata.
        preprocessing: from a decoded image to the network's input.
        task: what the outputs mean.
    """

    session: "InferenceSession"
    info: OnnxInfo
    preprocessing: Preprocessing
    task: Task

    @property
    def temperature(self) -> float:
        """What logits are divided by."""
        return 1.0 if self.info.temperature is None else self.info.temperature

    def logits(
        self, images: ImageSequence, indices: Sequence[int] | np.ndarray, *, batch_size: int, threads: int
    ) -> np.ndarray:
        """float32 (len(indices), num_outputs), divided by the temperature.

        Each image is a run of its own, so images may have any sizes; threads work on different images.

        Args:
            images: uint8 (H, W, C) each.
            indices: positions in `images`.
            batch_size: not used; there for what calls either kind of classifier.
            threads: images at once; 0 computes in the calling thread.
        """
        outputs = list(_in_order(lambda index: self.image_logits(images[index]), indices, threads))
        stacked = np.stack(outputs) if outputs else np.zeros((0, self.task.num_outputs), np.float32)
        return stacked / np.float32(self.temperature)

    @property
    def image_size(self) -> tuple[int, int] | None:
        """Height and width of the only images that it takes; None for any."""
        if self.info.kind == "network":
            return None
        rows = 1 if self.info.layout == "nhwc" else 2
        height, width = self.session.get_inputs()[0].shape[rows : rows + 2]
        return (height, width) if isinstance(height, int) and isinstance(width, int) else None

    def image_logits(self, image: np.ndarray) -> np.ndarray:
        """float32 (num_outputs,) of one image, uint8 (H, W, C), before the temperature.

        Raises:
            ModelError: an image of a size that the file does not take.
        """
        given = self.session.get_inputs()[0]
        if self.info.kind == "network":
            values = _to_type(self.preprocessing(image), self._quantized("input"))
            values = values.transpose(1, 2, 0) if has_channels_last(given.shape, len(values)) else values
        else:
            self._check_size(image)
            values = image if self.info.layout == "nhwc" else image.transpose(2, 0, 1)
        # A file of a fixed number of images gets so many of the same.
        number = given.shape[0] if isinstance(given.shape[0], int) else 1
        feed = {given.name: np.ascontiguousarray(np.broadcast_to(values, (number, *values.shape)))}
        output = _to_float(self.session.run([self._output], feed)[0][0], self._quantized("output"))
        return output if self.info.outputs == "logits" else logits_of(output, self.task)

    @property
    def _output(self) -> str:
        """Files from elsewhere have other names, and their first output counts."""
        names = [output.name for output in self.session.get_outputs()]
        return LOGITS if LOGITS in names else names[0]

    def _check_size(self, image: np.ndarray) -> None:
        wanted, size = self.image_size, image.shape[:2]
        if wanted is not None and size != wanted:
            sizes = f"images of {wanted[0]} x {wanted[1]} only (height x width), and one is {size[0]} x {size[1]}"
            raise ModelError(f"{self.info.model}: takes {sizes}; export it with export.image_size=dynamic")

    def _quantized(self, name: str) -> dict[str, Any] | None:
        """Type, scale and zero point of a raw network's integer input or output; None for float."""
        quantization = self.info.quantization or {}
        values = quantization.get(name)
        return values if isinstance(values, dict) and self.info.kind == "network" else None


def load_onnx(path: Path, info: OnnxInfo | None = None) -> OnnxClassifier:
    """Open an ONNX file that `vernier export` or `vernier quantize` wrote.

    Args:
        path: The file.
        info: What it is, for files without metadata of Vernier's own.

    Raises:
        MissingExtraError: onnxruntime is missing.
        ModelError: No such file, no ONNX, or one that says nothing of its classes and preprocessing.
    """
    session = open_session(path)
    read = OnnxInfo.from_metadata(str(path), session.get_modelmeta().custom_metadata_map)
    info = read if info is None else info
    if info is None:
        raise ModelError(
            f"{path}: says nothing of its classes and its preprocessing: another program wrote it. Name them: "
            "data.class_names=[...] augment.eval=[...], and data.task where an image has several labels"
        )
    return OnnxClassifier(session, info, info.make_preprocessing(), info.make_task())


def open_session(model: Path | bytes, *, threads: int = 1) -> "InferenceSession":
    """An onnxruntime session on the CPU.

    Args:
        model: A file, or its content.
        threads: That work on one operator.

    Raises:
        MissingExtraError: onnxruntime is missing.
        ModelError: No such file, or onnxruntime can't run it.
    """
    name = "an exported graph" if isinstance(model, bytes) else str(model)
    try:
        import onnxruntime
        from onnxruntime.capi import onnxruntime_pybind11_state as errors
    except ImportError:
        raise MissingExtraError(f"{name}: running an ONNX file", "onnx") from None
    if isinstance(model, Path) and not model.is_file():
        raise ModelError(f"{name}: there is no such file; check the path")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except (errors.InvalidProtobuf, errors.InvalidArgument):
        raise ModelError(f"{name}: not an ONNX model, or one that is cut short; export it again") from None
    except (errors.Fail, errors.InvalidGraph, errors.NotImplemented) as error:
        raise ModelError(f"{name}: onnxruntime can't run it: {_said(str(error))}") from None


def _said(message: str) -> str:
    """What onnxruntime says, without its codes and where in its sources it says so."""
    version = re.search(r"Unsupported model IR version: (\d+), max supported IR version: (\d+)", message)
    if version is not None:
        return f"it is of ONNX IR version {version[1]}, and {version[2]} is the newest known; write it in an older one"
    return message.rpartition(" : ")[2].strip()


def has_channels_last(shape: Sequence[object], channels: int) -> bool:
    """Whether a network from elsewhere takes (N, height, width, C), by the shape of its input."""
    return shape[3] == channels and shape[1] != channels


def logits_of(probabilities: np.ndarray, task: Task) -> np.ndarray:
    """Logits that give such probabilities, float32 (num_outputs,) both."""
    limits = np.finfo(np.float32)
    shares = np.maximum(probabilities, limits.tiny)
    if task.name == "multiclass":
        return np.asarray(np.log(shares), np.float32)
    rest = np.maximum(1 - probabilities, limits.epsneg)
    return np.asarray(np.log(shares) - np.log(rest), np.float32)


def _in_order(
    compute: Callable[[int], np.ndarray], indices: Sequence[int] | np.ndarray, threads: int
) -> Iterator[np.ndarray]:
    if threads == 0:
        yield from (compute(int(index)) for index in indices)
        return
    pool = ThreadPoolExecutor(threads, thread_name_prefix="vernier-onnx")
    pending: deque[Future[np.ndarray]] = deque()
    try:
        for index in indices:
            pending.append(pool.submit(compute, int(index)))
            if len(pending) > _AHEAD * threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _to_type(values: np.ndarray, quantized: dict[str, Any] | None) -> np.ndarray:
    """Float values as a quantized input takes them: round(x / scale) + zero point, clipped."""
    if quantized is None:
        return values
    limits = np.iinfo(quantized["type"])
    integers = np.rint(values / np.float32(quantized["scale"])) + quantized["zero_point"]
    return np.asarray(np.clip(integers, limits.min, limits.max), quantized["type"])


def _to_float(values: np.ndarray, quantized: dict[str, Any] | None) -> np.ndarray:
    if quantized is None:
        return values
    return np.asarray((values.astype(np.float32) - quantized["zero_point"]) * quantized["scale"], np.float32)
