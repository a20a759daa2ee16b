"""An ONNX file made ready to classify, by onnxruntime and without torch."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, final

import numpy as np

from vernier.augment.preprocess import Preprocessing
from vernier.deploy.onnx_info import IMAGE, INPUT, LOGITS, OnnxInfo
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

    def image_logits(self, image: np.ndarray) -> np.ndarray:
        """float32 (num_outputs,) of one image, uint8 (H, W, C), before the temperature."""
        if self.info.kind == "network":
            feed = {INPUT: _to_type(self.preprocessing(image)[None], self._quantized("input"))}
        else:
            pixels = image if self.info.layout == "nhwc" else np.ascontiguousarray(image.transpose(2, 0, 1))
            feed = {IMAGE: pixels[None]}
        output: np.ndarray = self.session.run([LOGITS], feed)[0][0]
        return _to_float(output, self._quantized("output"))

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


def open_session(path: Path, *, threads: int = 1) -> "InferenceSession":
    """An onnxruntime session on the CPU.

    Raises:
        MissingExtraError: onnxruntime is missing.
        ModelError: No such file, or onnxruntime can't run it.
    """
    try:
        import onnxruntime
        from onnxruntime.capi import onnxruntime_pybind11_state as errors
    except ImportError:
        raise MissingExtraError(f"{path}: running an ONNX file", "onnx") from None
    if not path.is_file():
        raise ModelError(f"{path}: there is no such file; check the path")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except (errors.Fail, errors.InvalidGraph, errors.InvalidProtobuf, errors.NotImplemented) as error:
        raise ModelError(f"{path}: onnxruntime can't run it: {error}") from None


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
