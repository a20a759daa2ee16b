"""What a footprint is taken of: an ONNX file, a trained model, or an architecture that nobody trained."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, final

from vernier.config.export import ExportConfig
from vernier.deploy.footprint.constants import QUANTIZE
from vernier.deploy.predict import is_onnx
from vernier.errors import ModelError

if TYPE_CHECKING:
    import onnx
    from torch import nn

    from vernier.config.model import ModelConfig
    from vernier.config.root import Config
    from vernier.data.source import Source

_OPSET = ExportConfig().opset
_CONFIG_ENDINGS = (".yaml", ".yml")


@final
@dataclass(frozen=True)
class Subject:
    """A network to measure.

    Attributes:
        model: its graph.
        title: what it is, in words.
    """

    model: "onnx.ModelProto"
    title: str

    @property
    def quantized(self) -> bool:
        """Whether the graph holds integers."""
        return any(node.op_type == QUANTIZE for node in self.model.graph.node)


def open_subject(
    named: object,
    config: "Callable[[], Config]",
    *,
    trust: bool,
    classes: int | None,
    open_data: "Callable[[Config], Source]",
) -> Subject:
    """Open whatever was named.

    Args:
        named: A path, or something that makes a config.
        config: Reads the config where it is one.
        trust: Import the user's own code when a bundle names it.
        classes: For a config; None counts those of its data.
        open_data: What opens a config's data.

    Raises:
        VernierError: it can't be opened, built or exported.
    """
    path = Path(named) if isinstance(named, str | Path) else None
    if path is not None and path.suffix.casefold() not in _CONFIG_ENDINGS:
        return subject_of_file(path) if path.is_file() or is_onnx(path) else subject_of_bundle(path, trust=trust)
    return subject_of_config(config(), classes, open_data)


def subject_of_file(path: Path) -> Subject:
    """An ONNX file.

    Raises:
        ModelError: it can't be read.
    """
    from vernier.deploy.export.files import read_onnx

    model = read_onnx(path)
    if not model.graph.node:
        raise ModelError(f"{path}: holds no network")
    return Subject(model, str(path))


def subject_of_bundle(path: Path, *, trust: bool) -> Subject:
    """A trained network, as it would be exported.

    Raises:
        ModelError: no bundle there, damaged, in need of `trust`, or not to be exported.
    """
    from vernier.deploy.export.network import export_network
    from vernier.models.bundle import load_bundle

    module, info = load_bundle(path, trust=trust)
    built = info.architecture
    model = export_network(module, built.channels, built.input_size, opset=_OPSET, batch_size=1)
    return Subject(model, f"{path}: {built.name}, {len(info.class_names)} classes")


def subject_of_config(config: "Config", classes: int | None, open_data: "Callable[[Config], Source]") -> Subject:
    """The network of a config, not trained.

    Args:
        config: Its `model`, `data.channels` and, for the number of classes, its `data`.
        classes: Instead of counting those of the data; 1000 without data.
        open_data: What opens the config's data.

    Raises:
        VernierError: the data can't be opened, or the network can't be built or exported.
    """
    from vernier.models.catalog import CLASSES

    data = config.data
    if classes is None:
        named = data.source is not None or data.train is not None or data.lists
        classes = len(open_data(config).class_names) if named else CLASSES
    outputs = 1 if data.task == "binary" else classes
    return subject_of_architecture(config.model, outputs, None if data.channels == "auto" else data.channels)


def subject_of_architecture(model: "ModelConfig", outputs: int, channels: int | None) -> Subject:
    """A network by name, not trained: what it costs does not depend on the values of its weights.

    Args:
        model: As a config has it.
        outputs: Logits.
        channels: Of the image; None for the network's own.

    Raises:
        ModelError: it can't be built or exported.
    """
    import torch

    from vernier.deploy.export.network import export_network
    from vernier.models.aliases import canonical_model
    from vernier.models.catalog_build import own_channels
    from vernier.models.defaults import model_defaults
    from vernier.models.providers import construct, find_provider, make_architecture

    model, _ = canonical_model(model)
    size = model_defaults(model).input_size if model.input_size == "auto" else model.input_size
    depth = own_channels(find_provider(model), model.name) if channels is None else channels
    built = make_architecture(model, num_outputs=outputs, channels=depth, input_size=size)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = construct(built).eval()
        fill_zero_vectors(module)
    graph = export_network(module, depth, size, opset=_OPSET, batch_size=1)
    return Subject(graph, f"{built.name}, not trained, {outputs} logits")


def fill_zero_vectors(module: "nn.Module") -> None:
    """Give vectors of zeros random values: export leaves out a bias of zeros, which training would fill."""
    import torch

    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.ndim == 1 and not parameter.any():
                parameter.normal_(0, 0.01)
