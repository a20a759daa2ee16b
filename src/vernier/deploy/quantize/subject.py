"""What is quantized: a bundle or a float ONNX file."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, final

from torch import nn

from vernier.augment.preprocess import Preprocessing
from vernier.config.root import Config
from vernier.deploy.export.adopt import adopt_network
from vernier.deploy.export.describe import describe_bundle
from vernier.deploy.export.files import read_onnx
from vernier.deploy.export.network import export_network
from vernier.deploy.export.wrap import read_info, unwrap_network
from vernier.deploy.foreign import describe_foreign
from vernier.deploy.onnx_info import Kind, OnnxInfo
from vernier.deploy.predict import is_onnx
from vernier.errors import ModelError
from vernier.evaluation.classifier import Classifier, load_classifier
from vernier.models.bundle import WEIGHTS_FILE, bundle_directory
from vernier.models.bundle import read_info as read_bundle_info
from vernier.models.task import Task

if TYPE_CHECKING:
    from onnx import ModelProto


@final
@dataclass(frozen=True)
class Subject:
    """A float model.

    Attributes:
        path: As it was named.
        info: What its ONNX file says, in float.
        network: Without preprocessing: `input` to `logits`.
        classifier: In torch; None for an ONNX file.
        bytes: Of its weights' file.
    """

    path: Path
    info: OnnxInfo
    network: "ModelProto"
    classifier: Classifier | None
    bytes: int

    @property
    def task(self) -> Task:
        """What the outputs mean."""
        return self.info.make_task()

    @property
    def preprocessing(self) -> Preprocessing:
        """What the network's input is made by."""
        return self.info.make_preprocessing()

    @property
    def module(self) -> nn.Module | None:
        """The network in torch; None for an ONNX file."""
        return None if self.classifier is None else self.classifier.module


def load_subject(path: Path, config: Config, *, trust: bool) -> Subject:
    """Read a bundle, the best one of a run, or a float ONNX file.

    Raises:
        ModelError: none of them, damaged, quantized already, or of another program and settings don't say what it is.
        ConfigError: such settings don't fit the file.
    """
    return _from_file(path, config) if path.is_file() or is_onnx(path) else _from_bundle(path, config, trust)


def find_home(model: Path) -> Path:
    """Where what belongs to a model lies: the run of a file in `RUN/export`, else the model itself."""
    run = model.parent.parent
    return run if model.is_file() and (run / "config.yaml").is_file() else model


def export_module(module: nn.Module, info: OnnxInfo, config: Config) -> "ModelProto":
    """A network in torch as an ONNX graph of the input that the preprocessing makes."""
    preprocessing = info.make_preprocessing()
    return export_network(
        module,
        preprocessing.channels,
        preprocessing.input_size,
        opset=config.export.opset,
        batch_size=fixed_batch(config),
    )


def fixed_batch(config: Config) -> int | None:
    """`export.batch_size`; None for dynamic."""
    return None if config.export.batch_size == "dynamic" else config.export.batch_size


def _from_bundle(path: Path, config: Config, trust: bool) -> Subject:
    classifier = load_classifier(path, trust=trust)
    directory = bundle_directory(path)
    kind: Kind = "network" if config.export.raw else "image"
    info = describe_bundle(directory, read_bundle_info(directory), kind=kind, layout=config.export.layout)
    network = export_module(classifier.module, info, config)
    return Subject(path, info, network, classifier, (directory / WEIGHTS_FILE).stat().st_size)


def _from_file(path: Path, config: Config) -> Subject:
    model = read_onnx(path)
    info = read_info(model, path)
    quantized = info is not None and info.quantization is not None
    if quantized or any(node.op_type == "QuantizeLinear" for node in model.graph.node):
        raise ModelError(f"{path}: is quantized already; name the float model that it was made of")
    if info is None:
        network, info = adopt_network(model, describe_foreign(path, config))
    else:
        network = unwrap_network(model)
    if config.export.raw:
        info = replace(info, kind="network")
    return Subject(path, info, network, None, path.stat().st_size)
