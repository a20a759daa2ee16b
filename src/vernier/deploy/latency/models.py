"""What `vernier benchmark` times of a run, a bundle or ONNX files."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from torch import nn

from vernier.deploy.export.files import read_onnx
from vernier.deploy.export.network import export_network
from vernier.deploy.export.wrap import unwrap_network
from vernier.deploy.latency.candidates import Candidate, OnnxCandidate, TorchCandidate
from vernier.deploy.onnx_classifier import open_session
from vernier.deploy.onnx_info import OnnxInfo
from vernier.deploy.places import default_file
from vernier.deploy.predict import is_onnx
from vernier.errors import ModelError
from vernier.models.architecture import Architecture
from vernier.models.bundle import bundle_directory, load_bundle, weights_sha256

OF_FILES = "A call takes uint8 or float images as each file does, preprocessing included where it is inside."
OF_NETWORKS = "A call is the network on preprocessed float images: no decoding and no preprocessing."
_USUAL_SIZE = (224, 224)
_OPSET = 18


def file_candidates(files: Sequence[Path], image_size: tuple[int, int] | None) -> list[Candidate]:
    """ONNX files as they are, under their names.

    Args:
        files: what to time.
        image_size: height and width of images where a file takes any; None for its network's own.

    Raises:
        ModelError: a file can't be read.
    """
    names = _short_names(files)
    return [OnnxCandidate(name, file, image_size or _input_size(file)) for name, file in zip(names, files, strict=True)]


def bundle_candidates(path: Path, *, compiled: bool, trust: bool) -> list[Candidate]:
    """The network of a bundle or run in torch, in onnxruntime, and in 8 bits when it has been quantized.

    Args:
        path: a bundle or run directory.
        compiled: through torch.compile too; it takes a minute.
        trust: import the user's own code when the bundle names it.

    Raises:
        ModelError: the bundle can't be used.
    """
    module, info = load_bundle(path, trust=trust)
    return list(_of_network(path, module, info.architecture, compiled))


def _of_network(path: Path, module: nn.Module, architecture: Architecture, compiled: bool) -> Iterator[Candidate]:
    shape = (architecture.channels, *architecture.input_size)
    yield TorchCandidate("torch", module, shape)
    if compiled:
        yield TorchCandidate("torch compiled", module, shape, compiled=True)
    network = export_network(module, shape[0], architecture.input_size, opset=_OPSET, batch_size=None)
    yield OnnxCandidate("onnxruntime", network.SerializeToString(), architecture.input_size)
    quantized = default_file(path, "_int8.onnx")
    if _is_of(quantized, path):
        content = unwrap_network(read_onnx(quantized)).SerializeToString()
        yield OnnxCandidate("onnxruntime int8", content, architecture.input_size)


def _is_of(file: Path, bundle: Path) -> bool:
    """Whether a file was made of the weights that a bundle has now."""
    if not file.is_file():
        return False
    info = _info(file)
    return info is not None and info.source_sha256 == weights_sha256(bundle_directory(bundle))


def _info(file: Path) -> OnnxInfo | None:
    return OnnxInfo.from_metadata(str(file), open_session(file).get_modelmeta().custom_metadata_map)


def _input_size(file: Path) -> tuple[int, int]:
    info = _info(file)
    return _USUAL_SIZE if info is None else info.make_preprocessing().input_size


def _short_names(files: Sequence[Path]) -> list[str]:
    """The files' names, or their paths where names are alike."""
    if not all(map(is_onnx, files)):
        raise ModelError(f"time one run or bundle at a time, or several .onnx files: {' '.join(map(str, files))}")
    names = [file.name for file in files]
    return names if len(set(names)) == len(names) else [str(file) for file in files]
