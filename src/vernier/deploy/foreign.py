"""ONNX files of other programs, which say nothing of their classes and their preprocessing: settings do."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, final

import numpy as np

from vernier.augment.preprocess import Preprocessing, compile_preprocessing
from vernier.config.augment import AnyOperation, CentralCrop, Normalize, Resize
from vernier.config.loading import load_config
from vernier.config.root import Config
from vernier.deploy.onnx_classifier import has_channels_last, open_session
from vernier.deploy.onnx_info import OnnxInfo, Outputs
from vernier.errors import ConfigError, ConfigProblem, ModelError
from vernier.models.task import Task, make_task

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

_FLOAT = "tensor(float)"
_USUAL_CHANNELS = (1, 3, 4)
_PROBES = (0.0, 1.0, 30.0, -30.0)
"""What noise is multiplied by to tell probabilities from logits: logits grow with it."""
_SUM_TOLERANCE = 1e-3


def foreign_info(path: Path, overrides: Sequence[str]) -> OnnxInfo:
    """What an ONNX file of another program is, by settings such as `data.class_names=[cat,dog]`.

    Raises:
        VernierError: see `describe_foreign`; settings that make no sense.
    """
    return describe_foreign(path, load_config(None, overrides, checks=()).config)


def is_foreign(path: Path) -> bool:
    """Whether another program made an ONNX file.

    Raises:
        ModelError: no such file, or none of ONNX.
    """
    return OnnxInfo.from_metadata(str(path), _metadata(open_session(path))) is None


def describe_foreign(path: Path, config: Config) -> OnnxInfo:
    """What an ONNX file of another program is.

    Its one input is float32 (N, C, height, width) or (N, height, width, C), of any name; its first output (N, outputs)
    are logits, or probabilities: those stay within 0 and 1, and sum to 1 for one label an image, whatever comes in.

    Args:
        path: The file.
        config: `data.class_names`, `data.task`, `data.channels`, `augment.eval`, `model.input_size`.

    Raises:
        MissingExtraError: onnxruntime is missing.
        ModelError: It can't be run, takes something else, or is Vernier's own and says itself what it is.
        ConfigError: Settings are missing, or don't fit the file.
    """
    session = open_session(path)
    if OnnxInfo.from_metadata(str(path), _metadata(session)) is not None:
        raise ModelError(f"{path}: says itself what its classes and preprocessing are; leave those settings out")
    class_names, operations = _required(path, config)
    entry = _Entry.of(path, session, config)
    preprocessing = _preprocessing(path, config, operations, entry)
    name: Literal["multiclass", "binary", "multilabel"]
    name = "multiclass" if config.data.task == "auto" else config.data.task
    task = make_task(name, class_names, threshold=config.evaluate.threshold)
    outputs = _probe(path, session, preprocessing, entry)
    _check_outputs(path, outputs, task)
    return OnnxInfo(
        kind="network",
        class_names=class_names,
        task=name,
        preprocessing=preprocessing.to_json(),
        threshold=task.threshold,
        temperature=None,
        reject_threshold=None,
        layout="nhwc",
        model=path.stem,
        source_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        outputs=_kind_of(outputs, task),
    )


@final
@dataclass(frozen=True)
class _Entry:
    """The input of a network.

    Attributes:
        name: its own.
        channels: of images.
        size: height and width; None for what it leaves open.
        batch: images at once.
        channels_last: whether it is (N, height, width, C).
    """

    name: str
    channels: int
    size: tuple[int | None, int | None]
    batch: int
    channels_last: bool

    @staticmethod
    def of(path: Path, session: "InferenceSession", config: Config) -> "_Entry":
        """Read from the graph, and `data.channels` where that leaves it open."""
        inputs = session.get_inputs()
        if len(inputs) != 1:
            names = ", ".join(value.name for value in inputs)
            raise ModelError(f"{path}: has {len(inputs)} inputs, {names}; a network with one, of images, is needed")
        given = inputs[0]
        if given.type != _FLOAT or len(given.shape) != 4:
            found = f"its input {given.name} is {given.type} of shape {given.shape}"
            raise ModelError(f"{path}: {found}; float32 of (N, C, height, width) or (N, height, width, C) is needed")
        channels = _channels(given.shape, config)
        last = has_channels_last(given.shape, channels)
        number, *sides = given.shape
        own, (height, width) = (sides[2], sides[:2]) if last else (sides[0], sides[1:])
        if isinstance(own, int) and own != channels:
            raise _problem("data.channels", f"is {channels}, and {path} takes images of {own} channels; name that")
        return _Entry(given.name, channels, (_known(height), _known(width)), _known(number) or 1, last)

    def arranged(self, images: np.ndarray) -> np.ndarray:
        """(N, C, height, width) as the network takes it."""
        return np.ascontiguousarray(images.transpose(0, 2, 3, 1)) if self.channels_last else images


def _metadata(session: "InferenceSession") -> dict[str, str]:
    texts: dict[str, str] = session.get_modelmeta().custom_metadata_map
    return texts


def _known(length: object) -> int | None:
    return length if isinstance(length, int) else None


def _channels(shape: Sequence[object], config: Config) -> int:
    if config.data.channels != "auto":
        return config.data.channels
    sides = (shape[1], shape[3])
    usual = [side for side in sides if isinstance(side, int) and side in _USUAL_CHANNELS]
    return usual[0] if usual else shape[1] if isinstance(shape[1], int) else 3


def _required(path: Path, config: Config) -> tuple[tuple[str, ...], tuple[AnyOperation, ...]]:
    """Classes and operations that have to be given.

    Raises:
        ModelError: they are not.
    """
    names, operations = config.data.class_names, config.augment.eval
    if names is None or operations == "auto":
        missing = [
            *(["'data.class_names=[cat,dog]'"] if names is None else []),
            *(["'augment.eval=[{name: Resize, size: 224},Rescale]'"] if operations == "auto" else []),
        ]
        raise ModelError(
            f"{path}: another program wrote it, and it says nothing of its classes and its preprocessing. "
            f"Give them, such as {' '.join(missing)}, and data.task=multilabel where an image has several labels"
        )
    return names, operations


def _preprocessing(path: Path, config: Config, operations: Sequence[AnyOperation], entry: _Entry) -> Preprocessing:
    augment = config.augment
    kernel = augment.interpolation if augment.eval_interpolation == "auto" else augment.eval_interpolation
    preprocessing = compile_preprocessing(
        [_filled(path, operation, config, entry) for operation in operations],
        channels=entry.channels,
        fill=augment.fill,
        interpolation=kernel,
    )
    for made, taken in zip(preprocessing.input_size, entry.size, strict=True):
        if taken is not None and made != taken:
            height, width = preprocessing.input_size
            wanted = " x ".join("any" if side is None else str(side) for side in entry.size)
            message = f"makes images of {height} x {width}, and {path} takes {wanted} (height x width); make those"
            raise _problem("augment.eval", message)
    return replace(preprocessing, value_range=config.data.value_range)


def _filled(path: Path, operation: AnyOperation, config: Config, entry: _Entry) -> AnyOperation:
    """The operation with the network's size for `auto`."""
    if isinstance(operation, Normalize) and "auto" in (operation.mean, operation.std):
        example = "{name: Normalize, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}"
        raise _problem("augment.eval", f"Normalize: {path} does not say its mean and std; give them: {example}")
    if not isinstance(operation, Resize | CentralCrop) or operation.size != "auto":
        return operation
    if isinstance(operation, CentralCrop) and operation.fraction is not None:
        return operation
    size = entry.size if config.model.input_size == "auto" else config.model.input_size
    if None in size:
        raise _problem("model.input_size", f"{path} takes images of several sizes; give height and width, [224, 224]")
    return operation.model_copy(update={"size": size})


def _probe(path: Path, session: "InferenceSession", preprocessing: Preprocessing, entry: _Entry) -> np.ndarray:
    """The outputs for noise of several strengths, (probes, ...).

    Raises:
        ModelError: the network can't take what the preprocessing makes.
    """
    from onnxruntime.capi import onnxruntime_pybind11_state as errors

    shape = (entry.batch, preprocessing.channels, *preprocessing.input_size)
    noise = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    first = session.get_outputs()[0].name
    try:
        answers = [session.run([first], {entry.name: entry.arranged(noise * np.float32(each))})[0] for each in _PROBES]
    except (errors.Fail, errors.InvalidArgument, errors.RuntimeException) as error:
        size = " x ".join(map(str, preprocessing.input_size))
        raise ModelError(f"{path}: can't take images of {size}: {error}; give its size: model.input_size") from None
    return np.stack([answer[0] for answer in answers])


def _check_outputs(path: Path, outputs: np.ndarray, task: Task) -> None:
    """Raises ConfigError where there are not as many as the task has."""
    if outputs.ndim != 2 or not np.issubdtype(outputs.dtype, np.floating):
        found = f"{outputs.dtype} of shape (N{''.join(f', {side}' for side in outputs.shape[1:])})"
        raise ModelError(f"{path}: its first output is {found}; float32 of (N, classes) is needed")
    number = outputs.shape[1]
    if number == task.num_outputs:
        return
    if task.name == "binary":
        raise _problem("data.task", f"binary has one output, and {path} has {number}; name multiclass or multilabel")
    classes = len(task.class_names)
    remedy = "name data.task=binary" if (number, classes) == (1, 2) else "name all of them in the order of its outputs"
    raise _problem("data.class_names", f"are {classes} classes, and {path} has {number} output(s); {remedy}")


def _kind_of(outputs: np.ndarray, task: Task) -> Outputs:
    within = bool((outputs >= 0).all() and (outputs <= 1 + _SUM_TOLERANCE).all())
    sums = np.abs(outputs.sum(axis=1) - 1) < _SUM_TOLERANCE
    certain = within and (task.name != "multiclass" or bool(sums.all()))
    return "probabilities" if certain else "logits"


def _problem(key: str, message: str) -> ConfigError:
    return ConfigError([ConfigProblem(key, message)])
